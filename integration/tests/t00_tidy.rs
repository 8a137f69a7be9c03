//! The repository itself: what reviews would otherwise have to check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file; a longer one has more than one noun in it.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// Every file below the workspace with this ending, by its path from the root.
fn files(ending: &str) -> BTreeMap<String, String> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a readable directory").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if name.ends_with(ending) {
                let relative = path
                    .strip_prefix(root())
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                found.insert(relative, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// `NB` and four digits.
fn codes(text: &str) -> BTreeSet<String> {
    let found = text.match_indices("NB").filter_map(|(at, _)| text.get(at..at + 6));
    found
        .filter(|code| code[2..].bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let sources = files(".rs").into_iter().chain(files(".py"));
    let sources = sources.filter(|(path, _)| !path.contains("test"));
    let used: BTreeSet<String> = sources.flat_map(|(_, text)| codes(&text)).collect();
    let pages = files(".md")
        .into_iter()
        .filter(|(path, _)| path.starts_with("docs/errors/"));
    let mut documented = BTreeSet::new();
    for (path, text) in pages {
        let code = Path::new(&path)
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            text.starts_with(&format!("# {code}: ")),
            "{path} does not begin with its code"
        );
        documented.insert(code);
    }
    let missing: Vec<_> = used.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&used).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "codes without a page: {missing:?}; pages without a code: {stale:?}"
    );
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<_> = files(".rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn the_code_map_names_every_crate() {
    let map = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md");
    for manifest in files("Cargo.toml").into_keys().filter(|path| path != "Cargo.toml") {
        let folder = manifest.trim_end_matches("Cargo.toml");
        assert!(
            map.contains(&format!("`{folder}`")),
            "docs/ARCHITECTURE.md does not mention `{folder}`"
        );
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in files(".md") {
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://");
            assert!(
                !local || folder.join(target).exists(),
                "{path} links to {target}, which does not exist"
            );
        }
    }
}

use super::*;
use crate::python::interpreter::tests::{fake, script};

/// An interpreter whose `-m venv DIR` makes `DIR/bin/python`, which counts pip's runs in `DIR/../pip-runs` and then runs `pip`.
fn base(dir: &Path, pip: &str) -> Interpreter {
    let python = script(
        dir,
        "venv-python",
        &format!(
            r#"[ "$2" = venv ] && {{ mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit; }}
[ "$2" = pip ] || exit 0
root=$(dirname "$(dirname "$(dirname "$0")")")
echo run >> "$root/pip-runs"
{pip}"#
        ),
    );
    let asked = fake(dir, "python3", "3, 12, 0", "null", "");
    let mut found = Interpreter::probe(&asked).unwrap();
    found.executable = python;
    found
}

fn runs(root: &Path) -> usize {
    fs::read_to_string(root.join("pip-runs"))
        .unwrap_or_default()
        .lines()
        .count()
}

const PIP: &str = "echo 'Collecting ipykernel==7.1.0 (from -r x)'\necho '  Collecting zmq>=1'\necho 'Installing collected packages: a, b'";

#[test]
fn made_once_and_found_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path(), PIP);
    let requirements = Requirements::new(&[]);
    let mut seen = Vec::new();
    let mut report = |progress: Progress<'_>| seen.push(format!("{progress:?}"));
    let python = find_or_make(dir.path(), &base, &requirements, &mut report).unwrap();
    assert!(python.is_file());
    assert!(seen[0].starts_with("Creating"), "{seen:?}");
    assert_eq!(
        seen[1..],
        ["Collecting(\"ipykernel\")", "Collecting(\"zmq\")", "Installing", "Done"]
    );

    let again = find_or_make(dir.path(), &base, &requirements, &mut |progress| panic!("{progress:?}")).unwrap();
    assert_eq!((again, runs(dir.path())), (python.clone(), 1));

    // Another list of packages is another environment.
    let other = find_or_make(dir.path(), &base, &Requirements::new(&["x".into()]), &mut |_| {}).unwrap();
    assert_ne!(other, python);
}

#[test]
fn an_interrupted_one_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path(), "exit 0");
    let requirements = Requirements::new(&[]);
    let python = find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap();
    let env = python.parent().unwrap().parent().unwrap();
    fs::remove_file(env.join(MARKER)).unwrap();
    fs::write(env.join("rest"), "").unwrap();
    find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap();
    assert!(!env.join("rest").exists());
    assert_eq!(runs(dir.path()), 2);
}

#[test]
fn one_whose_interpreter_is_gone_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path(), "exit 0");
    let requirements = Requirements::new(&[]);
    let python = find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap();
    fs::remove_file(&python).unwrap();
    find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap();
    assert!(python.is_file());
}

#[test]
fn pip_failure_shows_its_last_lines_and_leaves_nothing_complete() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(
        dir.path(),
        "for i in $(seq 100); do echo line $i; done; echo 'ERROR: no network' >&2; exit 1",
    );
    let requirements = Requirements::new(&[]);
    let error = find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "NB0923");
    let message = error.to_string();
    assert!(
        message.contains("no network") || message.contains("line 100"),
        "{message}"
    );
    assert!(message.lines().count() <= SHOWN_LINES + 1, "{message}");
    find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap_err();
    assert_eq!(runs(dir.path()), 2);
}

#[test]
fn two_at_once_install_once() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path(), "sleep 0.3");
    let requirements = Requirements::new(&[]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| find_or_make(dir.path(), &base, &requirements, &mut |_| {}).unwrap());
        }
    });
    assert_eq!(runs(dir.path()), 1);
}

#[test]
fn cache_directory_or_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(&dir.path().join("state")).unwrap();
    let (xdg, home) = (dir.path().join("xdg"), dir.path().join("home"));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let root = |xdg: Option<&Path>, home: Option<&Path>| {
        let variable = |name: &str| match name {
            "XDG_CACHE_HOME" => xdg.map(OsString::from),
            "HOME" => home.map(OsString::from),
            _ => None,
        };
        cache_root(&variable, &state).unwrap()
    };
    assert_eq!(root(Some(&xdg), Some(&home)), xdg.join("nbos"));
    assert_eq!(root(None, Some(&home)), home.join(".cache/nbos"));
    assert_eq!(root(Some(Path::new("relative")), Some(&home)), home.join(".cache/nbos"));
    assert_eq!(root(None, None), state.python_dir());
    assert_eq!(root(Some(&file), None), state.python_dir());
}

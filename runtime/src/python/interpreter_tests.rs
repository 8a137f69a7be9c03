use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A program that answers the probe with what it is told to have.
pub(in crate::python) fn fake(dir: &Path, name: &str, version: &str, missing: &str, packages: &str) -> PathBuf {
    let answer = format!(
        r#"{{"version": [{version}], "implementation": "cpython", "executable": "/x/python", "missing": {missing}, "packages": {{{packages}}}}}"#
    );
    script(dir, name, &format!("echo noise of a wrapper\necho '{answer}'"))
}

pub(in crate::python) fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
    let path = dir.join(name);
    // Renamed into place: executing a file that some thread still has open for writing fails with ETXTBSY.
    let fresh = dir.join(format!("{name}.new"));
    fs::write(&fresh, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, &path).unwrap();
    path
}

const GOOD: &str = r#""ipykernel": "7.1.0", "cloudpickle": "3.1.2""#;

fn supported(version: &str, packages: &str) -> Result<PathBuf, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = fake(dir.path(), "py", version, "null", packages);
    Interpreter::probe(&path)?.into_supported()
}

#[test]
fn own_interpreter_with_the_packages() {
    assert!(supported("3, 12, 1", GOOD).unwrap().ends_with("py"));
    supported("3, 10, 0", r#""ipykernel": "6.29.5", "cloudpickle": "3.0.0""#).unwrap();
}

#[test]
fn own_interpreter_without_them_says_what_to_install() {
    let error = supported("3, 12, 1", r#""ipykernel": null, "cloudpickle": "2.2.1""#).unwrap_err();
    assert_eq!(error.code(), "NB0924");
    let message = error.to_string();
    for part in [
        "cannot import ipykernel",
        "cloudpickle 2.2.1",
        "-m pip install 'ipykernel>=6.29,<8' 'cloudpickle>=3.0,<4'",
    ] {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
    let future = supported(
        "3, 12, 1",
        r#""ipykernel": "8.0.0a1", "cloudpickle": "3.1"}"#.trim_end_matches('}'),
    )
    .unwrap_err();
    assert!(future.to_string().contains("ipykernel 8.0.0a1"), "{future}");
}

#[test]
fn own_interpreter_too_old() {
    let error = supported("3, 6, 15", "").unwrap_err();
    assert_eq!(error.code(), "NB0925");
    assert!(error.to_string().contains("3.6.15"), "{error}");
}

#[test]
fn not_an_interpreter() {
    let dir = tempfile::tempdir().unwrap();
    let silent = script(dir.path(), "silent", "exit 0");
    let failing = script(dir.path(), "failing", "echo broken libc >&2; exit 3");
    for (path, part) in [
        (silent, "unexpected answer"),
        (failing, "broken libc"),
        (dir.path().join("none"), "No such file"),
    ] {
        let error = Interpreter::probe(&path).unwrap_err();
        assert_eq!(error.code(), "NB0927");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn search_takes_the_first_suitable_one() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = std::env::join_paths([first.path(), second.path()]).unwrap();
    assert_eq!(Interpreter::find(&path).unwrap_err().code(), "NB0921");

    fake(second.path(), "python3", "3, 8, 2", "null", "");
    assert_eq!(Interpreter::find(&path).unwrap_err().code(), "NB0925");

    fake(second.path(), "python3.12", "3, 12, 0", "\"ensurepip\"", "");
    fake(second.path(), "python3.11", "3, 11, 0", "null", "");
    assert_eq!(Interpreter::find(&path).unwrap().version, (3, 11, 0));

    fake(first.path(), "python3", "3, 13, 0", "null", "");
    assert_eq!(Interpreter::find(&path).unwrap().identity(), "cpython-3.13.0");
}

#[test]
fn missing_ensurepip_names_the_debian_package() {
    let dir = tempfile::tempdir().unwrap();
    fake(dir.path(), "python3", "3, 12, 0", "\"ensurepip\"", "");
    let error = Interpreter::find(dir.path().as_os_str()).unwrap_err();
    assert_eq!(error.code(), "NB0922");
    let message = error.to_string();
    assert!(
        message.contains("ensurepip") && message.contains("apt install python3-venv"),
        "{message}"
    );
}

#[test]
fn versions() {
    assert_eq!(parse("7.1.0"), Some(Version(7, 1)));
    assert_eq!(parse("8.0.0a1"), Some(Version(8, 0)));
    assert_eq!(parse("6"), Some(Version(6, 0)));
    assert_eq!(parse("dev"), None);
}

#[test]
fn what_it_lacks_is_installed_beside_the_shim() {
    let dir = tempfile::tempdir().unwrap();
    let lacking = |packages: &str| {
        let path = fake(dir.path(), "py", "3, 12, 1", "null", packages);
        Interpreter::probe(&path).unwrap().lacking()
    };
    assert_eq!(lacking(GOOD), ["blake3", "xxhash"]);
    assert_eq!(
        lacking(&format!(r#"{GOOD}, "blake3": "1.0.5", "xxhash": null"#)),
        ["xxhash"]
    );
}

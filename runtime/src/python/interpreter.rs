//! What an interpreter is and has.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::error::Error;

/// Oldest version with wheels of everything pinned.
const MIN_VERSION: (u32, u32) = (3, 10);

/// Names tried in `PATH`, in this order; a machine's `python3` may be too old while a newer one stands beside it.
const NAMES: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
];

/// Packages that the shim imports: name, first supported version, first one that is not. The shim's tests run with ipykernel 6.29
/// and 7; cloudpickle 3 changed how it pickles by value.
const NEEDED: [(&str, Version, Version); 2] = [
    ("ipykernel", Version(6, 29), Version(8, 0)),
    ("cloudpickle", Version(3, 0), Version(4, 0)),
];

/// Small packages that the shim imports too and that few interpreters have: what is missing is installed beside the shim.
const BESIDE: [&str; 2] = ["blake3", "xxhash"];

/// Prints what we want to know. Imports the packages for real: a broken installation must be noticed here and not in the
/// first kernel.
const PROBE: &str = "
import importlib, json, sys
try:
    import importlib.metadata
except ImportError:
    pass
def version(name):
    try:
        importlib.import_module(name)
        return importlib.metadata.version(name)
    except Exception:
        return None
def missing(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            return name
if sys.version_info < (3, 8):
    packages, no = {}, None
else:
    packages, no = {name: version(name) for name in sys.argv[1:]}, missing(['venv', 'ensurepip'])
print(json.dumps({'version': list(sys.version_info[:3]), 'implementation': sys.implementation.name,
                  'executable': sys.executable, 'missing': no, 'packages': packages}))
";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// An interpreter that answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Interpreter {
    /// As asked for; an environment of the user's must be entered by its own path.
    #[serde(skip)]
    path: PathBuf,
    /// The program behind wrappers such as pyenv's.
    pub(super) executable: PathBuf,
    version: (u32, u32, u32),
    implementation: String,
    /// First missing module of those that make an environment.
    missing: Option<String>,
    packages: BTreeMap<String, Option<String>>,
}

impl Interpreter {
    /// The first interpreter of a `PATH` that is recent enough to make a private environment with; else what is wrong with the
    /// first one found.
    pub(super) fn find(path: &OsStr) -> Result<Self, Error> {
        let mut refused = None;
        for name in NAMES {
            let Some(program) = std::env::split_paths(path)
                .map(|dir| dir.join(name))
                .find(|program| program.is_file())
            else {
                continue;
            };
            let suitable =
                Self::probe_for(&program, &[])
                    .and_then(Self::recent)
                    .and_then(|found| match &found.missing {
                        None => Ok(found),
                        Some(module) => Err(Error::NoVenv {
                            path: program.clone(),
                            module: module.clone(),
                        }),
                    });
            match suitable {
                Ok(found) => return Ok(found),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(Error::NoPython))
    }

    /// Asks an interpreter what it is and which of the needed packages it can import.
    pub(super) fn probe(program: &Path) -> Result<Self, Error> {
        let names: Vec<&str> = NEEDED.iter().map(|(name, ..)| *name).chain(BESIDE).collect();
        Self::probe_for(program, &names)
    }

    fn probe_for(program: &Path, packages: &[&str]) -> Result<Self, Error> {
        let refuse = |why: String| Error::DoesNotRun {
            path: program.to_path_buf(),
            why,
        };
        let output = Command::new(program)
            .arg("-c")
            .arg(PROBE)
            .args(packages)
            .stdin(Stdio::null())
            .output();
        let output = output.map_err(|error| refuse(error.to_string()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().next_back().unwrap_or_default();
            return Err(refuse(format!("{}: {last}", output.status)));
        }
        // A wrapper or sitecustomize may print lines of its own before ours.
        let answer = output
            .stdout
            .split(|byte| *byte == b'\n')
            .rfind(|line| !line.trim_ascii().is_empty());
        let found: Self = serde_json::from_slice(answer.unwrap_or_default())
            .map_err(|error| refuse(format!("unexpected answer: {error}")))?;
        Ok(Self {
            path: program.to_path_buf(),
            ..found
        })
    }

    /// Packages of the shim's that can be installed beside it and that this interpreter does not have.
    pub(super) fn lacking(&self) -> Vec<&'static str> {
        let has = |name: &str| self.packages.get(name).is_some_and(Option::is_some);
        BESIDE.into_iter().filter(|name| !has(name)).collect()
    }

    /// Its path, when it is recent enough and has the packages that the shim imports.
    pub(super) fn into_supported(self) -> Result<PathBuf, Error> {
        let found = self.recent()?;
        let mut missing = Vec::new();
        let mut install = Vec::new();
        for (name, first, beyond) in NEEDED {
            let version = found.packages.get(name).cloned().flatten();
            let problem = match version.as_deref().map(|text| (text, parse(text))) {
                None => Some(format!("it cannot import {name}")),
                Some((text, Some(version))) if version < first || version >= beyond => {
                    Some(format!("it has {name} {text}"))
                }
                Some(_) => None,
            };
            if let Some(problem) = problem {
                missing.push(problem);
                install.push(format!("'{name}>={}.{},<{}'", first.0, first.1, beyond.0));
            }
        }
        if !missing.is_empty() {
            let (missing, install) = (missing.join(", "), install.join(" "));
            return Err(Error::Unsupported {
                path: found.path,
                missing,
                install,
            });
        }
        // Absolute, since nodes and kernels run in other directories; but not resolved: a virtual environment's interpreter is
        // a link whose own path is what makes it one.
        std::path::absolute(&found.path).map_err(|source| Error::Io {
            path: found.path,
            source,
        })
    }

    /// Tells interpreters apart whose environments are not interchangeable.
    pub(super) fn identity(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{}-{major}.{minor}.{patch}", self.implementation)
    }

    fn recent(self) -> Result<Self, Error> {
        let (major, minor, patch) = self.version;
        if (major, minor) < MIN_VERSION {
            return Err(Error::TooOld {
                path: self.path,
                found: format!("{major}.{minor}.{patch}"),
            });
        }
        Ok(self)
    }
}

fn parse(version: &str) -> Option<Version> {
    let mut numbers = version.split('.').map(|part| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().ok()
    });
    let major = numbers.next().flatten()?;
    Some(Version(major, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
#[path = "interpreter_tests.rs"]
pub(super) mod tests;

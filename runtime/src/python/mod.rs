//! The Python that kernels run in: a private environment made once, or the user's own interpreter, and our shim.

mod error;
mod interpreter;
mod requirements;
mod shim;
mod venv;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::error::Error;
use self::interpreter::Interpreter;
use self::requirements::Requirements;
use crate::state_dir::{self, StateDir, write_private};

/// What a replica needs to start its Python child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonEnv {
    pub interpreter: PathBuf,
    /// Directory that holds the package `nbos_kernel`, and what else the interpreter lacks; goes into `PYTHONPATH`.
    pub shim_path: PathBuf,
}

impl PythonEnv {
    /// Finds or makes the environment. `own` is the user's interpreter; `packages` go into a private environment. Blocks for as
    /// long as pip needs the first time, and for some 50 ms afterwards.
    pub fn prepare(
        state: &StateDir,
        own: Option<&Path>,
        packages: &[String],
        report: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, Error> {
        let dir = state.python_dir();
        if let Some(path) = own {
            let found = Interpreter::probe(path)?;
            let lacking = shim::requirements_of(&found.lacking());
            let interpreter = found.into_supported()?;
            let shim_path = if lacking.is_empty() {
                shim::unpack(&dir)?
            } else {
                // They go beside the shim: an interpreter of the user's own is not ours to change.
                shim::unpack_with(&dir, &interpreter, &lacking, report)?
            };
            return Ok(Self { interpreter, shim_path });
        }
        let base = Interpreter::find(&std::env::var_os("PATH").unwrap_or_default())?;
        let requirements = Requirements::new(packages);
        let variable = |name: &str| std::env::var_os(name);
        let root = venv::cache_root(&variable, state)?;
        Ok(Self {
            interpreter: venv::find_or_make(&root, &base, &requirements, report)?,
            shim_path: shim::unpack(&dir)?,
        })
    }

    /// The environment that [`PythonEnv::write`] left; `None` when there is none.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub fn write(&self, path: &Path) -> Result<(), state_dir::Error> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        let text = text.map_err(|source| state_dir::Error::Io {
            path: path.display().to_string(),
            source,
        })?;
        write_private(path, &text)
    }
}

/// What is being done while the first start makes the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A private environment is about to be made.
    Creating {
        dir: &'a Path,
        direct_requirements: usize,
    },
    /// Another process makes it; waiting for that.
    Waiting,
    /// pip found one more package to get.
    Collecting(&'a str),
    /// Everything is there and is being unpacked.
    Installing,
    Done,
}

//! Builds and steers the driver without devices, `cuda.c`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// One library and the files beside it, which are all that it knows.
pub(crate) struct FakeDriver {
    dir: TempDir,
}

impl FakeDriver {
    pub(crate) fn build() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        compile(&dir.path().join("libcuda.so.1"), None);
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.dir().join("libcuda.so.1")
    }

    /// Another library, like a driver that has not got this function.
    pub(crate) fn build_without(&self, function: &str) -> PathBuf {
        let library = self.dir().join("libcuda-old.so.1");
        compile(&library, Some(function));
        library
    }

    /// A process begins to use CUDA.
    pub(crate) fn start(&self, pid: u32) {
        self.write(&pid.to_string(), "0");
    }

    /// `CUprocessState` of a process.
    pub(crate) fn state(&self, pid: u32) -> i32 {
        self.read(&pid.to_string()).trim().parse().expect("a number")
    }

    pub(crate) fn set_version(&self, version: i32) {
        self.write("version", &version.to_string());
    }

    /// From now on a function does what `cuda.c` says under `fault`.
    pub(crate) fn fail(&self, function: &str, how: &str) {
        self.write("fault", &format!("{function} {how}"));
    }

    pub(crate) fn heal(&self) {
        std::fs::remove_file(self.dir().join("fault")).expect("was failing");
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.read("calls").lines().map(str::to_owned).collect()
    }

    fn write(&self, name: &str, text: &str) {
        // The library may be reading: it sees the old file or the new one.
        let next = self.dir().join(format!("{name}.writing"));
        std::fs::write(&next, text).expect("writes");
        std::fs::rename(next, self.dir().join(name)).expect("renames");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join(name)).expect("reads")
    }
}

fn compile(library: &Path, without: Option<&str>) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_driver/cuda.c");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
    if let Some(function) = without {
        cc.arg(format!("-D{function}=absent_from_this_driver"));
    }
    let built = cc.arg("-o").arg(library).arg(source).arg("-ldl").output();
    let built = built.expect("a C compiler, `cc`, is installed");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

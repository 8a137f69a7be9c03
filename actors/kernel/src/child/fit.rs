//! Which start a kernel's own environment variables leave possible. Pure.

use std::collections::BTreeMap;

/// How late a process can be given its kernel's variables, without a difference to one that began with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// Only at its start.
    Start,
    /// When its libraries are loaded and its kernel does not exist yet.
    Fork,
    /// When its kernel waits for the first cell.
    Warm,
}

/// Beginnings of names that the interpreter, the dynamic linker, the C library or a library that the zygote imports reads once.
const AT_START: [&str; 12] = [
    "PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG", "LOCPATH", "OPENSSL_", "SSL_", "JUPYTER", "IPY_", "TORNADO",
];

/// Beginnings of names that IPython and ipykernel read, or write, while a kernel is made.
const AT_FORK: [&str; 17] = [
    "IPYTHON",
    "IPYKERNEL",
    "JPY_",
    "HOME",
    "XDG_",
    "VIRTUAL_ENV",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TZ",
    "TERM",
    "CLICOLOR",
    "FORCE_COLOR",
    "PAGER",
    "GIT_PAGER",
    "MPLBACKEND",
    "SOURCE_DATE_EPOCH",
];

impl Fit {
    /// `common` are the variables of all kernels, with which the zygote began.
    pub(super) fn of(own: &BTreeMap<String, String>, common: &BTreeMap<String, String>) -> Self {
        let differing = own.iter().filter(|(name, value)| common.get(*name) != Some(value));
        differing
            .map(|(name, _)| Self::of_name(name))
            .min()
            .unwrap_or(Self::Warm)
    }

    fn of_name(name: &str) -> Self {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
        if begins(&AT_START) {
            Self::Start
        } else if begins(&AT_FORK) {
            Self::Fork
        } else {
            Self::Warm
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_earliest_reader_decides() {
        let common = variables(&[("PYTHONHASHSEED", "7"), ("OMP_NUM_THREADS", "2")]);
        let fit = |own: &[(&str, &str)]| Fit::of(&variables(own), &common);
        assert_eq!(fit(&[]), Fit::Warm);
        assert_eq!(fit(&[("KERNEL_USERNAME", "u"), ("OMP_NUM_THREADS", "4")]), Fit::Warm);
        assert_eq!(
            fit(&[("KERNEL_USERNAME", "u"), ("JPY_SESSION_NAME", "a.ipynb")]),
            Fit::Fork
        );
        assert_eq!(fit(&[("TZ", "Asia/Tokyo"), ("LD_PRELOAD", "x.so")]), Fit::Start);
        assert_eq!(fit(&[("PYTHONHASHSEED", "7")]), Fit::Warm, "as all kernels have it");
        assert_eq!(fit(&[("PYTHONHASHSEED", "8")]), Fit::Start);
    }
}

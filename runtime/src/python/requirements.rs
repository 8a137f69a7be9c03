//! What a private environment holds.

use super::shim;

/// pip requirements, one a line: the shim's own, then those of `[python] packages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirements {
    lines: Vec<String>,
}

impl Requirements {
    pub(super) fn new(packages: &[String]) -> Self {
        let own = shim::requirements().lines();
        let lines = own.chain(packages.iter().map(String::as_str)).map(str::trim);
        let lines = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned);
        Self { lines: lines.collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    /// The content of a `requirements.txt`.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Names the environment: another list or another interpreter makes another one, and the old one stays usable.
    pub(super) fn fingerprint(&self, interpreter: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(interpreter.as_bytes());
        hasher.update(b"\n");
        hasher.update(self.text().as_bytes());
        // 64 bits are plenty to tell a handful of environments apart, and keep paths short.
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_depends_on_list_and_interpreter() {
        let some = Requirements::new(&["numpy==2".into()]);
        let other = Requirements::new(&["numpy==3".into()]);
        assert_eq!(
            some.fingerprint("a"),
            Requirements::new(&[" numpy==2 ".into(), "# why".into()]).fingerprint("a")
        );
        assert_ne!(some.fingerprint("a"), some.fingerprint("b"));
        assert_ne!(some.fingerprint("a"), other.fingerprint("a"));
        assert!(
            some.text().contains("ipykernel==") && some.text().ends_with("numpy==2\n"),
            "{}",
            some.text()
        );
    }
}

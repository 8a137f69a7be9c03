//! What the log says the session is, and how a process compares with it.

use std::collections::BTreeMap;

use nbos_objects::BlobId;

use super::python::{BIG, HIDDEN, LIST, Python, SEEN, words};
use crate::core::Core;
use crate::state::KernelState;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) list: Vec<String>,
    pub(super) hidden: Vec<String>,
    pub(super) big: Option<String>,
    /// What the newest cell saw.
    seen: Vec<String>,
}

impl View {
    pub(super) fn of(state: &KernelState, contents: &BTreeMap<BlobId, String>) -> Self {
        let small = |key: &str| {
            state
                .manifest()
                .get(key)
                .map(|entry| words(&entry.group))
                .unwrap_or_default()
        };
        let big = state.manifest().get(BIG).and_then(|entry| entry.group.chunks().next());
        Self {
            list: small(LIST),
            hidden: small(HIDDEN),
            big: big.map(|chunk| contents[chunk].clone()),
            seen: small(SEEN),
        }
    }

    /// A command was applied on top of `self` and gave `after`.
    pub(super) fn check_step(&self, after: &Self, context: &str) {
        assert!(
            after.hidden.starts_with(&self.hidden),
            "a committed scrub is lost: {:?} after {:?}, {context}",
            after.hidden,
            self.hidden
        );
        assert!(
            after.hidden.iter().all(|id| after.list.contains(id)),
            "a scrub came before its cell: {after:?}, {context}"
        );
        if after.list.len() > self.list.len() {
            let reported: usize = after.seen[0].parse().expect("a number");
            assert_eq!(
                reported,
                self.hidden.len(),
                "a cell was committed before what its process had found earlier: {context}"
            );
            if after.seen[1] != "-" {
                let before = self.big.clone().unwrap_or_else(|| "none".to_owned());
                assert_eq!(
                    after.seen[1], before,
                    "a cell saw another value than the session's: {context}"
                );
            }
        }
    }

    pub(super) fn check_child(&self, python: &Python, core: &Core, context: &str) {
        assert_eq!(python.list, self.list, "the child differs from the session: {context}");
        assert_eq!(
            python.reported, self.hidden,
            "the child differs from the session: {context}"
        );
        if python.arriving.contains(BIG) {
            assert!(self.big.is_some(), "it waits for what does not exist: {context}");
            assert!(
                core.settings.defer_above == 0 && !core.is_executor(),
                "it had time to arrive: {context}"
            );
        } else {
            assert_eq!(python.big, self.big, "the child differs from the session: {context}");
        }
    }
}

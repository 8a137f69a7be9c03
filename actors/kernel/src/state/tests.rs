//! The session's state machine on its own.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::message::JupyterMessage;

fn life(replica: ReplicaNumber) -> Executor {
    Executor {
        replica,
        incarnation: 0,
        life: 0,
    }
}

fn started(msg_id: &str, executor: ReplicaNumber, epoch: u64) -> Command {
    Command::CellStarted(CellStarted {
        msg_id: msg_id.to_owned(),
        header: Bytes::new(),
        executor: life(executor),
        epoch: Epoch(epoch),
        gpus: 0,
    })
}

fn finished(seq: u64, epoch: u64, groups: &[(&str, &[&str])], deleted: &[&str]) -> Command {
    let groups = groups
        .iter()
        .map(|(key, names)| Group {
            key: (*key).to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            rank: 3,
            inline: Bytes::from(format!("{key}@{seq}")),
            buffers: Vec::new(),
        })
        .collect();
    let deleted = deleted.iter().map(|name| (*name).to_owned()).collect();
    let delta = Delta {
        groups,
        deleted,
        pinned: Vec::new(),
        execution_count: seq,
    };
    let command = CellFinished {
        seq: CellSeq(seq),
        epoch: Epoch(epoch),
        reply: JupyterMessage::default(),
        outputs: Vec::new(),
        delta,
    };
    Command::CellFinished(Box::new(command))
}

fn aborted(seq: u64, epoch: u64, executor: ReplicaNumber) -> Command {
    Command::CellAborted(CellAborted {
        seq: CellSeq(seq),
        epoch: Epoch(epoch),
        executor: life(executor),
        reason: AbortReason::ExecutorLost,
        reply: JupyterMessage::default(),
        outputs: Vec::new(),
    })
}

fn names(state: &KernelState) -> Vec<String> {
    state
        .manifest()
        .in_order()
        .iter()
        .flat_map(|group| group.names.clone())
        .collect()
}

#[test]
fn the_first_start_wins_and_a_repeat_is_recognised() {
    let mut state = KernelState::default();
    assert_eq!(state.apply(&started("a", 1, 1)), Applied::Started { seq: CellSeq(1) });
    assert_eq!(state.apply(&started("a", 2, 1)), Applied::Stale);
    assert_eq!(
        state.apply(&finished(1, 1, &[], &[])),
        Applied::Finished { seq: CellSeq(1) }
    );
    assert_eq!(state.apply(&finished(1, 1, &[], &[])), Applied::Stale);
    assert_eq!(
        state.apply(&started("a", 1, 1)),
        Applied::AlreadyDone { seq: CellSeq(1) }
    );
}

#[test]
fn a_successor_fences_the_executor() {
    let mut state = KernelState::default();
    state.apply(&started("a", 1, 1));
    assert_eq!(state.apply(&aborted(1, 2, 2)), Applied::Aborted { seq: CellSeq(1) });
    assert_eq!(state.executor(), Some(life(2)));
    let before = state.clone();
    assert_eq!(state.apply(&finished(1, 1, &[("var:x", &["x"])], &[])), Applied::Stale);
    assert_eq!(state.apply(&started("b", 1, 1)), Applied::Stale);
    assert_eq!(state, before, "invariant 6: an old epoch changes nothing");
    assert_eq!(state.apply(&started("b", 2, 2)), Applied::Started { seq: CellSeq(2) });
}

#[test]
fn groups_split_and_merge() {
    let mut state = KernelState::default();
    state.apply(&started("a", 1, 1));
    state.apply(&finished(1, 1, &[("var:a", &["a", "b"]), ("var:c", &["c"])], &[]));
    assert_eq!(names(&state), ["a", "b", "c"]);
    state.apply(&started("b", 1, 1));
    state.apply(&finished(2, 1, &[("var:b", &["b", "c"]), ("var:a", &["a"])], &[]));
    assert_eq!(names(&state), ["b", "c", "a"]);
    state.apply(&started("c", 1, 1));
    state.apply(&finished(3, 1, &[], &["b", "c"]));
    assert_eq!(names(&state), ["a"]);
}

#[test]
fn a_scrub_is_taken_once_and_only_on_the_state_it_was_found_on() {
    let scrubbed = |epoch, base| {
        let delta = Delta {
            groups: vec![Group {
                key: "var:x".to_owned(),
                names: vec!["x".to_owned()],
                rank: 3,
                inline: Bytes::from_static(b"new"),
                buffers: Vec::new(),
            }],
            ..Delta::default()
        };
        Command::StateScrubbed(Box::new(StateScrubbed {
            epoch: Epoch(epoch),
            base: Version(base),
            delta,
        }))
    };
    let mut state = KernelState::default();
    assert_eq!(state.apply(&scrubbed(0, 0)), Applied::Stale, "nobody is the executor");
    state.apply(&started("a", 1, 1));
    state.apply(&finished(1, 1, &[("var:x", &["x"])], &[]));
    assert_eq!(state.version(), Version(1));
    assert_eq!(state.apply(&scrubbed(1, 0)), Applied::Stale);
    assert_eq!(state.apply(&scrubbed(1, 1)), Applied::Scrubbed { version: Version(2) });
    assert_eq!(state.apply(&scrubbed(1, 1)), Applied::Stale, "a repeat changes nothing");
    state.apply(&started("b", 1, 1));
    assert_eq!(
        state.apply(&scrubbed(1, 2)),
        Applied::Scrubbed { version: Version(3) },
        "found before the cell that runs now"
    );
    state.apply(&aborted(2, 2, 2));
    assert_eq!(state.version(), Version(3), "a cell without effect changes no state");
    assert_eq!(state.apply(&scrubbed(1, 3)), Applied::Stale, "of an old epoch");
}

proptest! {
    /// Whatever order commands come in: one outcome a position, epochs never fall, snapshots are faithful.
    #[test]
    fn any_order(commands in prop::collection::vec((0_u8..4, 0_u64..6, 0_u64..6, 1_u64..4), 1..60)) {
        let mut state = KernelState::default();
        let mut outcomes = std::collections::BTreeMap::new();
        for (kind, a, b, executor) in commands {
            let command = match kind {
                0 => started(&format!("m{a}"), executor, b),
                1 => finished(a, b, &[("var:x", &["x"])], &[]),
                2 => aborted(a, b, executor),
                _ => Command::ExecutorChanged(ExecutorChanged { epoch: Epoch(b), executor: life(executor), cell: None }),
            };
            let epoch = state.epoch();
            match state.apply(&command) {
                Applied::Finished { seq } | Applied::Aborted { seq } => {
                    prop_assert!(outcomes.insert(seq, kind).is_none(), "invariant 2: two outcomes of one cell");
                }
                Applied::Started { seq } => prop_assert_eq!(seq, state.cells().next()),
                Applied::AlreadyDone { .. } | Applied::Executor | Applied::Restarted | Applied::Scrubbed { .. } | Applied::Stale => {}
            }
            prop_assert!(state.epoch() >= epoch);
        }
        let bytes = crate::protocol::to_bytes(&state);
        let back: KernelState = nbos_mesh::codec::decode(&bytes).expect("a snapshot reads back");
        prop_assert_eq!(back, state);
    }
}

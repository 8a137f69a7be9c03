use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[test]
fn goes_through_in_order_with_a_bounded_window() {
    let mut transfer = Transfer::new(10 * PIECE + 1, 0);
    let window: Vec<Piece> = std::iter::from_fn(|| transfer.next_piece()).collect();
    let offsets: Vec<u64> = window.iter().map(|it| it.offset).collect();
    assert_eq!(offsets, [0, PIECE, 2 * PIECE, 3 * PIECE]);
    assert_eq!(transfer.wanted(window[0], PIECE), Ok(()));
    assert_eq!(transfer.next_piece().map(|it| it.offset), Some(4 * PIECE));
    assert_eq!(transfer.next_piece(), None);
}

#[test]
fn resumes_where_the_receiver_is() {
    let mut transfer = Transfer::new(2 * PIECE, PIECE + 7);
    let piece = transfer.next_piece().expect("one left");
    assert_eq!((piece.offset, piece.len), (PIECE + 7, PIECE - 7));
    assert_eq!(transfer.next_piece(), None);
}

#[test]
fn empty_blob_is_one_empty_piece() {
    let mut transfer = Transfer::new(0, 0);
    let piece = transfer.next_piece().expect("one");
    assert_eq!((piece.offset, piece.len), (0, 0));
    assert_eq!(transfer.next_piece(), None);
}

#[test]
fn does_not_send_what_somebody_else_sent() {
    let mut transfer = Transfer::new(100 * PIECE, 0);
    let first = transfer.next_piece().expect("one");
    assert_eq!(transfer.wanted(first, 50 * PIECE), Ok(()));
    assert_eq!(transfer.next_piece().map(|it| it.offset), Some(50 * PIECE));
}

#[test]
fn gives_up_on_a_receiver_that_keeps_nothing() {
    let mut transfer = Transfer::new(PIECE, 0);
    let mut sent = 0;
    loop {
        let piece = transfer.next_piece().expect("asked for again");
        sent += 1;
        if transfer.wanted(piece, 0) == Err(Stalled) {
            break;
        }
    }
    assert_eq!(sent, MAX_SETBACKS + 1);
}

/// What the network and the receiver do to one piece.
#[derive(Debug, Clone)]
enum Fate {
    /// The oldest piece under way arrives.
    Arrives,
    /// The newest one does: it overtook the others.
    Overtakes,
    /// The receiver loses what it has beyond a fraction of it, as after a crash, then the oldest arrives.
    Loses(u8),
    /// Somebody else brings the receiver some bytes, then the oldest arrives.
    Helped(u32),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Arrives),
        2 => Just(Fate::Overtakes),
        1 => any::<u8>().prop_map(Fate::Loses),
        1 => any::<u32>().prop_map(|bytes| Fate::Helped(bytes % (3 * PIECE as u32))),
    ]
}

proptest! {
    /// Whatever happens on the way, the transfer moves only bytes the blob has, a window at a time, and ends: complete
    /// once the faults stop, or given up while they last.
    #[test]
    fn ends_complete_or_gives_up(
        len in prop_oneof![Just(0), 1..4u64, 1..40 * PIECE],
        start in 0..50 * PIECE,
        fates in prop::collection::vec(fate(), 0..200),
    ) {
        let mut transfer = Transfer::new(len, start);
        let mut at = start.min(len.saturating_sub(1));
        let mut complete = false;
        let mut under_way = VecDeque::new();
        let mut fates = fates.into_iter();
        // Each fault costs at most a window of pieces; without faults every piece is sent once.
        for _step in 0..200 * (WINDOW + 1) + 60 {
            while let Some(piece) = transfer.next_piece() {
                prop_assert!(piece.len <= PIECE && piece.offset + piece.len <= len);
                prop_assert!(piece.len > 0 || len == 0);
                under_way.push_back(piece);
            }
            prop_assert!(under_way.len() <= WINDOW);
            let arrived = match fates.next().unwrap_or(Fate::Arrives) {
                Fate::Arrives => under_way.pop_front(),
                Fate::Overtakes => under_way.pop_back(),
                Fate::Loses(part) => {
                    at = at * u64::from(part) / 256;
                    under_way.pop_front()
                }
                Fate::Helped(bytes) => {
                    at = (at + u64::from(bytes)).min(len.saturating_sub(1));
                    under_way.pop_front()
                }
            };
            let Some(piece) = arrived else { break };
            if piece.offset == at {
                at += piece.len;
                if at == len {
                    complete = true;
                    break;
                }
            }
            if transfer.wanted(piece, at) == Err(Stalled) {
                // Only ever by the faults above.
                prop_assert!(transfer.setbacks > MAX_SETBACKS);
                return Ok(());
            }
        }
        prop_assert!(complete, "neither complete nor given up: {transfer:?}, receiver at {at}");
    }

    /// Without faults nothing is sent twice.
    #[test]
    fn sends_each_byte_once(len in 0..20 * PIECE, start in 0..20 * PIECE) {
        let mut transfer = Transfer::new(len, start);
        let mut at = start.min(len.saturating_sub(1));
        let mut under_way = VecDeque::new();
        loop {
            under_way.extend(std::iter::from_fn(|| transfer.next_piece()));
            let Some(piece) = under_way.pop_front() else { break };
            prop_assert_eq!(piece.offset, at);
            at += piece.len;
            if at < len {
                prop_assert_eq!(transfer.wanted(piece, at), Ok(()));
            }
        }
        prop_assert_eq!(at, len);
    }
}

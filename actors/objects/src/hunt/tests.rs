use proptest::prelude::*;

use super::*;

const A: Source = Source::Peer(0);
const B: Source = Source::Peer(1);

fn id(number: usize) -> BlobId {
    BlobId::of(&number.to_le_bytes())
}

#[test]
fn each_chunk_is_asked_of_one_source_at_a_time_in_order() {
    let mut hunt = Hunt::new([id(0), id(1), id(0), id(2)], [A, B]);
    assert_eq!(
        [hunt.next(A), hunt.next(B), hunt.next(A)],
        [Some(id(0)), Some(id(1)), Some(id(2))]
    );
    assert_eq!(hunt.next(B), None);
    hunt.lost(A);
    assert_eq!(
        [hunt.next(B), hunt.next(B), hunt.next(B)],
        [Some(id(0)), Some(id(2)), None]
    );
    (0..3).for_each(|number| hunt.arrived(&id(number)));
    assert!(hunt.is_over());
}

#[test]
fn what_comes_in_another_way_is_asked_of_nobody_and_not_given_up() {
    let mut hunt = Hunt::new([id(0), id(1)], [A]);
    assert_eq!(hunt.next(A), Some(id(0)));
    hunt.leave(&id(0));
    hunt.without(A, &id(0));
    hunt.lost(A);
    assert_eq!((hunt.left(), hunt.nowhere()), (vec![id(0)], None));
    assert_eq!((hunt.next(A), hunt.next(A)), (Some(id(1)), None));
    hunt.retry(&id(0));
    assert_eq!((hunt.left(), hunt.nowhere()), (Vec::new(), Some(id(0))));
}

#[test]
fn what_nobody_has_is_nowhere() {
    let mut hunt = Hunt::new([id(0)], [A, B]);
    hunt.without(A, &id(0));
    assert_eq!((hunt.next(A), hunt.nowhere()), (None, None));
    hunt.lost(B);
    assert_eq!(hunt.nowhere(), None, "who is away may have it");
    hunt.without(B, &id(0));
    assert_eq!(hunt.nowhere(), Some(id(0)));
}

#[test]
fn the_reserve_is_asked_last() {
    let mut hunt = Hunt::new([id(0), id(1)], [A, B, Source::Reserve]);
    assert_eq!(hunt.next(Source::Reserve), None);
    hunt.without(A, &id(1));
    hunt.without(B, &id(1));
    assert_eq!(hunt.next(Source::Reserve), Some(id(1)), "no peer has it");
    hunt.lost(A);
    hunt.lost(B);
    assert_eq!(hunt.next(Source::Reserve), Some(id(0)), "no peer can be reached");
}

proptest! {
    /// Sources that hold some of the chunks and fail now and then: everything that one of them has arrives, and what
    /// none has is told.
    #[test]
    fn all_that_is_somewhere_arrives(
        holdings in prop::collection::vec(prop::collection::btree_set(0..12usize, 0..12), 1..4),
        moves in prop::collection::vec((0..4usize, any::<bool>()), 0..100),
    ) {
        let sources: Vec<Source> = (0..holdings.len()).map(Source::Peer).collect();
        let mut hunt = Hunt::new((0..12).map(id), sources.clone());
        let mut here = BTreeSet::new();
        let mut asked: Vec<Vec<BlobId>> = vec![Vec::new(); holdings.len()];
        let mut play = |hunt: &mut Hunt, at: usize, breaks: bool| {
            let source = sources[at];
            if breaks {
                hunt.lost(source);
                asked[at].clear();
                return;
            }
            hunt.reached(source);
            asked[at].extend(hunt.next(source));
            let Some(id) = asked[at].pop() else { return };
            match holdings[at].iter().any(|held| self::id(*held) == id) {
                true => {
                    assert!(here.insert(id), "a chunk came twice");
                    hunt.arrived(&id);
                }
                false => hunt.without(source, &id),
            }
        };
        for (at, breaks) in moves {
            play(&mut hunt, at % holdings.len(), breaks);
        }
        for _ in 0..40 {
            (0..holdings.len()).for_each(|at| play(&mut hunt, at, false));
        }
        let held: BTreeSet<usize> = holdings.iter().flatten().copied().collect();
        prop_assert_eq!(here.len(), held.len());
        prop_assert_eq!(hunt.is_over(), held.len() == 12);
        prop_assert_eq!(hunt.nowhere().is_some(), held.len() < 12);
    }
}

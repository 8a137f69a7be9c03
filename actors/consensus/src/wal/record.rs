//! One record of the log: what it says, and its bytes.
//!
//! ```text
//! record  = u32 length of body | u32 crc32c of body | body
//! body    = u8 kind | u8 length of group | group | u64 replica | rest by kind
//! log id  = u64 term | u64 replica | u64 index
//! entry   = log id | u8 0                                   blank
//!         | log id | u8 1 | command                         command
//!         | log id | u8 2 | membership                      membership
//! ```
//! All numbers are little-endian. Every record has a checksum of its own beside that of its frame, because an entry
//! is read back alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::vote::{RaftLeaderId, RaftVote};

use crate::id::{GroupId, ReplicaId};
use crate::types::{Command, Entry, Home, LogId, Membership, Types, Vote};

type LeaderId = openraft::alias::LeaderIdOf<Types>;

pub(crate) const HEADER: usize = 8;

/// Whose record it is: one replica of one group.
pub(crate) type Owner = (GroupId, ReplicaId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Entries from here on are gone, then this one follows.
    Entry = 1,
    Vote = 2,
    TruncateAfter = 3,
    Purge = 4,
    Committed = 5,
    /// Nothing written so far for this owner counts.
    Drop = 6,
    /// An entry moved here from an older segment; those after it stay.
    Kept = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Entry,
            2 => Kind::Vote,
            3 => Kind::TruncateAfter,
            4 => Kind::Purge,
            5 => Kind::Committed,
            6 => Kind::Drop,
            7 => Kind::Kept,
            _ => return None,
        })
    }
}

/// Appends one record to `out`; `body` writes what the kind asks for.
pub(crate) fn write(out: &mut Vec<u8>, kind: Kind, owner: &Owner, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    out.push(kind as u8);
    let group = owner.0.as_str().as_bytes();
    out.push(group.len() as u8);
    out.extend_from_slice(group);
    put_u64(out, owner.1.0);
    body(out);
    seal(&mut out[start..]);
}

/// A copy of the entry record `record`, as it is moved to a newer segment.
pub(crate) fn kept(record: &[u8]) -> Vec<u8> {
    let mut copy = record.to_vec();
    copy[HEADER] = Kind::Kept as u8;
    seal(&mut copy);
    copy
}

fn seal(record: &mut [u8]) {
    let length = (record.len() - HEADER) as u32;
    let crc = crc32c::crc32c(&record[HEADER..]);
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// One record as found on disk.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) owner: Owner,
    /// Header and body together.
    pub(crate) size: usize,
    pub(crate) rest: &'a [u8],
}

/// Reads the record at the start of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Record<'_>, &'static str> {
    let mut cursor = Cursor(bytes);
    let length = cursor.u32()? as usize;
    let crc = cursor.u32()?;
    let body = cursor.take(length)?;
    if crc32c::crc32c(body) != crc {
        return Err("checksum of a record does not match");
    }
    let mut cursor = Cursor(body);
    let kind = Kind::from_byte(cursor.u8()?).ok_or("unknown kind of record")?;
    let length = cursor.u8()? as usize;
    let group = std::str::from_utf8(cursor.take(length)?).map_err(|_| "group name is not text")?;
    let group = GroupId::new(group).map_err(|_| "not a group name")?;
    let replica = ReplicaId(cursor.u64()?);
    Ok(Record {
        kind,
        owner: (group, replica),
        size: HEADER + body.len(),
        rest: cursor.0,
    })
}

pub(crate) fn put_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

pub(crate) fn put_log_id(out: &mut Vec<u8>, id: &LogId) {
    put_u64(out, id.leader_id.term);
    put_u64(out, id.leader_id.node_id);
    put_u64(out, id.index);
}

pub(crate) fn put_maybe_log_id(out: &mut Vec<u8>, id: Option<&LogId>) {
    out.push(u8::from(id.is_some()));
    if let Some(id) = id {
        put_log_id(out, id);
    }
}

pub(crate) fn put_vote(out: &mut Vec<u8>, vote: &Vote) {
    let leader = vote.leader_id();
    put_u64(out, leader.term);
    put_u64(out, leader.node_id);
    out.push(u8::from(vote.is_committed()));
}

pub(crate) fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_log_id(out, &entry.log_id);
    match &entry.payload {
        EntryPayload::Blank => out.push(0),
        EntryPayload::Normal(command) => {
            out.push(1);
            out.extend_from_slice(&command.0);
        }
        EntryPayload::Membership(membership) => {
            out.push(2);
            put_membership(out, membership);
        }
    }
}

pub(crate) fn put_membership(out: &mut Vec<u8>, membership: &Membership) {
    let configs = membership.get_joint_config();
    put_u64(out, configs.len() as u64);
    for voters in configs {
        put_u64(out, voters.len() as u64);
        voters.iter().for_each(|id| put_u64(out, *id));
    }
    put_u64(out, membership.nodes().count() as u64);
    for (id, home) in membership.nodes() {
        put_u64(out, *id);
        put_u64(out, home.0.len() as u64);
        out.extend_from_slice(home.0.as_bytes());
    }
}

/// Reads fields off the front of a slice; never panics on a short one.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], &'static str> {
        let (head, tail) = self.0.split_at_checked(n).ok_or("record ends early")?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, &'static str> {
        let (head, tail) = self.0.split_first_chunk().ok_or("record ends early")?;
        self.0 = tail;
        Ok(u32::from_le_bytes(*head))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, &'static str> {
        let (head, tail) = self.0.split_first_chunk().ok_or("record ends early")?;
        self.0 = tail;
        Ok(u64::from_le_bytes(*head))
    }

    pub(crate) fn log_id(&mut self) -> Result<LogId, &'static str> {
        let (term, node) = (self.u64()?, self.u64()?);
        Ok(LogId::new(LeaderId::new(term, node).to_committed(), self.u64()?))
    }

    pub(crate) fn maybe_log_id(&mut self) -> Result<Option<LogId>, &'static str> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.log_id().map(Some),
            _ => Err("malformed option"),
        }
    }

    pub(crate) fn vote(&mut self) -> Result<Vote, &'static str> {
        let leader = LeaderId::new(self.u64()?, self.u64()?);
        Ok(Vote::from_leader_id(leader, self.u8()? != 0))
    }

    /// Takes all that is left as an entry.
    pub(crate) fn entry(&mut self) -> Result<Entry, &'static str> {
        let log_id = self.log_id()?;
        let payload = match self.u8()? {
            0 => EntryPayload::Blank,
            1 => EntryPayload::Normal(Command(Bytes::copy_from_slice(std::mem::take(&mut self.0)))),
            2 => EntryPayload::Membership(self.membership()?),
            _ => return Err("unknown kind of entry"),
        };
        if !self.0.is_empty() {
            return Err("bytes after the end of an entry");
        }
        Ok(Entry { log_id, payload })
    }

    pub(crate) fn membership(&mut self) -> Result<Membership, &'static str> {
        let mut configs = Vec::new();
        for _ in 0..self.u64()? {
            let mut voters = BTreeSet::new();
            for _ in 0..self.u64()? {
                voters.insert(self.u64()?);
            }
            configs.push(voters);
        }
        let mut nodes = BTreeMap::new();
        for _ in 0..self.u64()? {
            let id = self.u64()?;
            let length = self.u64()? as usize;
            let home = std::str::from_utf8(self.take(length)?).map_err(|_| "node name is not text")?;
            nodes.insert(id, Home(home.to_owned()));
        }
        if configs.is_empty() && nodes.is_empty() {
            return Ok(Membership::default());
        }
        Membership::new(configs, nodes).map_err(|_| "impossible membership")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner() -> Owner {
        (GroupId::control(), ReplicaId(7))
    }

    fn id(index: u64) -> LogId {
        LogId::new(LeaderId::new(3, 9).to_committed(), index)
    }

    fn round_trip(entry: &Entry) -> Entry {
        let mut out = Vec::new();
        write(&mut out, Kind::Entry, &owner(), |out| put_entry(out, entry));
        let record = read(&out).unwrap();
        assert_eq!(
            (record.kind, record.owner, record.size),
            (Kind::Entry, owner(), out.len())
        );
        Cursor(record.rest).entry().unwrap()
    }

    #[test]
    fn entries_survive_a_round_trip() {
        let voters = |ids: &[u64]| ids.iter().copied().collect::<BTreeSet<_>>();
        let nodes: BTreeMap<_, _> = (1..=4).map(|i| (i, Home(format!("host-{i}")))).collect();
        let joint = Membership::new(vec![voters(&[1, 2, 3]), voters(&[2, 3, 4])], nodes).unwrap();
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Command(Bytes::new())),
            EntryPayload::Normal(Command(Bytes::from_static(b"\0\x01\xff"))),
            EntryPayload::Membership(joint),
            EntryPayload::Membership(Membership::default()),
        ];
        for payload in payloads {
            let entry = Entry { log_id: id(5), payload };
            assert_eq!(round_trip(&entry), entry);
        }
    }

    #[test]
    fn a_kept_copy_says_the_same_under_its_own_checksum() {
        let mut out = Vec::new();
        let entry = Entry {
            log_id: id(5),
            payload: EntryPayload::Normal(Command(Bytes::from_static(b"abc"))),
        };
        write(&mut out, Kind::Entry, &owner(), |out| put_entry(out, &entry));
        let copy = kept(&out);
        let record = read(&copy).unwrap();
        assert_eq!(record.kind, Kind::Kept);
        assert_eq!(Cursor(record.rest).entry().unwrap(), entry);
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(record) = read(&bytes) {
                let _ = Cursor(record.rest).entry();
            }
            let _ = Cursor(&bytes).entry();
            let _ = Cursor(&bytes).membership();
            let _ = Cursor(&bytes).vote();
        }

        #[test]
        fn a_flipped_bit_is_noticed(command in proptest::collection::vec(any::<u8>(), 0..64), at in any::<proptest::sample::Index>(), bit in 0..8) {
            let mut out = Vec::new();
            let entry = Entry { log_id: id(1), payload: EntryPayload::Normal(Command(command.into())) };
            write(&mut out, Kind::Entry, &owner(), |out| put_entry(out, &entry));
            let at = at.index(out.len());
            out[at] ^= 1u8 << bit;
            prop_assert!(read(&out).is_err());
        }
    }
}

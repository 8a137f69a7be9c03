//! What waits for one client. Pure and bounded; replies are never dropped.

use std::collections::VecDeque;

use nbos_kernel::JupyterMessage;
use nbos_kernel::protocol::Channel;

/// Charged per message on top of its bytes, so that many tiny ones are bounded too.
const OVERHEAD: usize = 256;

/// Messages towards a client, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<(Channel, JupyterMessage)>,
    bytes: usize,
    /// Set from the first drop until the queue is empty again: one notice a burst.
    dropping: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// Output dropped; the client is to be told once.
    DroppedFirst,
    Dropped,
    /// Even what may not be dropped exceeds twice the limit: the connection must go.
    Overflow,
}

/// Whether a message may be dropped for a client that does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Output on iopub.
    Output,
    /// Replies, input requests, `status`, errors and our own notices.
    Needed,
}

impl Worth {
    pub(crate) fn of(channel: Channel, msg_type: &str) -> Self {
        match (channel, msg_type) {
            (Channel::Iopub, "status" | "error") => Self::Needed,
            (Channel::Iopub, _) => Self::Output,
            (Channel::Shell | Channel::Control | Channel::Stdin, _) => Self::Needed,
        }
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, channel: Channel, message: JupyterMessage, worth: Worth, limit: usize) -> Pushed {
        let size = message.size() + OVERHEAD;
        let over = self.bytes + size > limit && !self.queue.is_empty();
        match worth {
            Worth::Output if over || self.dropping => {
                let first = !std::mem::replace(&mut self.dropping, true);
                if first { Pushed::DroppedFirst } else { Pushed::Dropped }
            }
            Worth::Needed if over && self.bytes + size > 2 * limit => Pushed::Overflow,
            Worth::Output | Worth::Needed => {
                self.bytes += size;
                self.queue.push_back((channel, message));
                Pushed::Queued
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<(Channel, JupyterMessage)> {
        let (channel, message) = self.queue.pop_front()?;
        self.bytes -= message.size() + OVERHEAD;
        if self.queue.is_empty() {
            self.dropping = false;
        }
        Some((channel, message))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn of_size(size: usize) -> JupyterMessage {
        JupyterMessage {
            content: Bytes::from(vec![b'x'; size]),
            ..JupyterMessage::default()
        }
    }

    #[test]
    fn a_burst_of_drops_gives_one_notice_and_ends_when_the_client_caught_up() {
        let mut outbox = Outbox::default();
        let push = |outbox: &mut Outbox, worth| outbox.push(Channel::Iopub, of_size(300), worth, 1_000);
        assert_eq!(push(&mut outbox, Worth::Output), Pushed::Queued);
        assert_eq!(push(&mut outbox, Worth::Output), Pushed::DroppedFirst);
        assert_eq!(push(&mut outbox, Worth::Output), Pushed::Dropped);
        assert_eq!(push(&mut outbox, Worth::Needed), Pushed::Queued);
        while outbox.pop().is_some() {}
        assert_eq!(push(&mut outbox, Worth::Output), Pushed::Queued);
    }

    #[test]
    fn one_message_above_the_limit_passes_an_empty_queue() {
        let mut outbox = Outbox::default();
        assert_eq!(
            outbox.push(Channel::Shell, of_size(5_000), Worth::Needed, 1_000),
            Pushed::Queued
        );
        assert_eq!(
            outbox.push(Channel::Shell, of_size(10), Worth::Needed, 1_000),
            Pushed::Overflow
        );
    }

    proptest! {
        #[test]
        fn bounded_in_order_and_no_reply_lost(
            steps in prop::collection::vec(prop_oneof![
                3 => (0usize..900, any::<bool>()).prop_map(Some),
                1 => Just(None),
            ], 0..200),
        ) {
            let limit = 4_000;
            let (mut outbox, mut needed, mut sent) = (Outbox::default(), VecDeque::new(), Vec::new());
            for step in steps {
                match step {
                    Some((size, reply)) => {
                        let (channel, worth) = match reply {
                            true => (Channel::Shell, Worth::Needed),
                            false => (Channel::Iopub, Worth::Output),
                        };
                        let pushed = outbox.push(channel, of_size(size), worth, limit);
                        if pushed == Pushed::Overflow {
                            prop_assert!(reply);
                            return Ok(());
                        }
                        prop_assert!(!reply || pushed == Pushed::Queued);
                        if reply {
                            needed.push_back(size);
                        }
                    }
                    None => sent.extend(outbox.pop()),
                }
                prop_assert!(outbox.bytes <= 2 * limit);
            }
            sent.extend(std::iter::from_fn(|| outbox.pop()));
            let replies: Vec<usize> =
                sent.iter().filter(|(channel, _)| *channel == Channel::Shell).map(|(_, m)| m.content.len()).collect();
            prop_assert_eq!(replies, Vec::from(needed));
            prop_assert_eq!(outbox.bytes, 0);
        }
    }
}

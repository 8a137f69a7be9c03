//! A Jupyter message, parsed.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};

/// The kernel channel that a message travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Shell,
    Control,
    Stdin,
    Iopub,
}

impl Channel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Control => "control",
            Self::Stdin => "stdin",
            Self::Iopub => "iopub",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Shell, Self::Control, Self::Stdin, Self::Iopub]
            .into_iter()
            .find(|channel| channel.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub channel: Channel,
    pub header: Value,
    pub parent_header: Value,
    pub metadata: Value,
    pub content: Value,
    pub buffers: Vec<Bytes>,
}

impl Message {
    /// A request of this client, with a fresh id unless one is given.
    pub fn request(channel: Channel, msg_type: &str, session: &str, msg_id: Option<&str>, content: Value) -> Self {
        let msg_id = msg_id.map_or_else(fresh_id, str::to_owned);
        let header = json!({
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": session,
            "username": "nbos",
            "date": rfc3339(SystemTime::now()),
            "version": "5.4",
        });
        Self {
            channel,
            header,
            parent_header: json!({}),
            metadata: json!({}),
            content,
            buffers: Vec::new(),
        }
    }

    pub fn msg_id(&self) -> &str {
        text(&self.header, "msg_id")
    }

    pub fn msg_type(&self) -> &str {
        text(&self.header, "msg_type")
    }

    /// Id of the request that this message belongs to; empty when there is none.
    pub fn parent_id(&self) -> &str {
        text(&self.parent_header, "msg_id")
    }

    /// A `status` message's state; `None` for any other message.
    pub fn status(&self) -> Option<&str> {
        (self.msg_type() == "status").then(|| text(&self.content, "execution_state"))
    }
}

/// A new id for a message or a session.
pub(super) fn fresh_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `2026-11-23T02:35:06.123456Z`: the form of jupyter_client's headers.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56.000000Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.000000Z");
        assert_eq!(at(1_735_689_600), "2025-01-01T00:00:00.000000Z");
    }

    #[test]
    fn requests_have_distinct_ids_unless_one_is_given() {
        let request = |id| Message::request(Channel::Shell, "execute_request", "s", id, json!({}));
        assert_ne!(request(None).msg_id(), request(None).msg_id());
        let given = request(Some("x"));
        assert_eq!(
            (given.msg_id(), given.msg_type(), given.parent_id()),
            ("x", "execute_request", "")
        );
    }
}

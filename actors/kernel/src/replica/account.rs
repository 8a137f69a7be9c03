//! What a cell's reply says about the GPUs it had: `metadata.nbos` of its `execute_reply`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::message::JupyterMessage;

/// The GPUs of the cell at hand.
#[derive(Default)]
pub(super) struct Account {
    asked: Option<Instant>,
    lent: Option<Lent>,
}

struct Lent {
    gpus: usize,
    /// In this host's line, from the question to the grant.
    waited: Duration,
    since: Instant,
    until: Option<Instant>,
}

impl Account {
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    pub(super) fn lent(&mut self, gpus: usize) {
        let now = Instant::now();
        self.lent = Some(Lent {
            gpus,
            waited: self.asked.take().map_or(Duration::ZERO, |asked| now - asked),
            since: now,
            until: None,
        });
    }

    pub(super) fn given_back(&mut self) {
        if let Some(lent) = &mut self.lent {
            lent.until.get_or_insert_with(Instant::now);
        }
    }

    /// A cell without GPUs begins.
    pub(super) fn clear(&mut self) {
        self.lent = None;
    }

    /// Adds the host, and the GPUs if the cell had any, to the metadata of a cell's reply; any other message stays as it is.
    pub(super) fn note(&self, reply: &mut JupyterMessage, host: &str) {
        let header = reply.header_fields();
        if header.is_none_or(|header| header.msg_type != "execute_reply") {
            return;
        }
        let Ok(Value::Object(mut metadata)) = serde_json::from_slice(&reply.metadata) else {
            return;
        };
        let mut nbos = json!({"host": host, "gpus": 0});
        if let Some(lent) = &self.lent {
            let held = lent.until.unwrap_or_else(Instant::now) - lent.since;
            nbos["gpus"] = json!(lent.gpus);
            nbos["waited_us"] = micros(lent.waited);
            nbos["held_us"] = micros(held);
        }
        metadata.insert("nbos".to_owned(), nbos);
        reply.metadata = Value::Object(metadata).to_string().into();
    }
}

fn micros(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn noted(account: &Account, msg_type: &str) -> Value {
        let mut reply = JupyterMessage::build(&json!({"msg_type": msg_type}), Bytes::new(), &json!({}));
        reply.metadata = Bytes::from_static(br#"{"status": "ok"}"#);
        account.note(&mut reply, "h1");
        serde_json::from_slice(&reply.metadata).unwrap()
    }

    #[test]
    fn a_reply_tells_its_host_and_its_gpus() {
        let mut account = Account::default();
        assert_eq!(
            noted(&account, "execute_reply"),
            json!({"status": "ok", "nbos": {"host": "h1", "gpus": 0}})
        );
        assert_eq!(noted(&account, "kernel_info_reply"), json!({"status": "ok"}));
        account.asked();
        account.lent(2);
        account.given_back();
        let told = noted(&account, "execute_reply");
        assert_eq!(
            (&told["nbos"]["host"], &told["nbos"]["gpus"]),
            (&json!("h1"), &json!(2))
        );
        let held = told["nbos"]["held_us"].as_u64().unwrap();
        assert!(told["nbos"]["waited_us"].is_u64());
        std::thread::sleep(Duration::from_millis(2));
        let later = noted(&account, "execute_reply")["nbos"]["held_us"].as_u64().unwrap();
        assert_eq!(later, held, "it was given back");
        account.clear();
        assert_eq!(noted(&account, "execute_reply")["nbos"]["gpus"], 0);
    }
}

//! Collects what a cell shows, as a notebook stores it (nbformat 4.5).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::message::text;

/// A new picture for a display that an earlier cell made.
#[derive(Clone, Debug, PartialEq)]
pub struct DisplayUpdate {
    pub display_id: String,
    pub data: Value,
    pub metadata: Value,
}

/// The outputs of one cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    list: Vec<Value>,
    /// Positions in `list` by display id: a display may be shown several times.
    displays: BTreeMap<String, Vec<usize>>,
    /// `clear_output(wait=True)` was seen: the next output clears.
    clear_on_next: bool,
    updates: Vec<DisplayUpdate>,
}

impl Outputs {
    /// Takes an iopub message; types that show nothing are ignored.
    pub fn apply(&mut self, msg_type: &str, content: &Value) {
        match msg_type {
            "stream" => self.stream(text(content, "name"), text(content, "text")),
            "display_data" => self.display(content, "display_data"),
            "execute_result" => self.display(content, "execute_result"),
            "error" => {
                let traceback = field(content, "traceback");
                self.push(json!({
                    "output_type": "error",
                    "ename": text(content, "ename"),
                    "evalue": text(content, "evalue"),
                    "traceback": if traceback.is_array() { traceback } else { json!([]) },
                }));
            }
            "update_display_data" => self.take_update(content),
            "clear_output" if content.get("wait").and_then(Value::as_bool) == Some(true) => self.clear_on_next = true,
            "clear_output" => self.clear(),
            _ => {}
        }
    }

    /// nbformat outputs in the order they were shown.
    pub fn list(&self) -> &[Value] {
        &self.list
    }

    /// Updates of displays, those of earlier cells among them, in order.
    pub fn updates(&self) -> &[DisplayUpdate] {
        &self.updates
    }

    /// Shows a later cell's update in this cell.
    pub fn update(&mut self, update: &DisplayUpdate) {
        for index in self.displays.get(&update.display_id).into_iter().flatten() {
            self.list[*index]["data"] = update.data.clone();
            self.list[*index]["metadata"] = update.metadata.clone();
        }
    }

    fn stream(&mut self, name: &str, added: &str) {
        self.clear_if_due();
        if let Some(last) = self.list.last_mut()
            && text(last, "output_type") == "stream"
            && text(last, "name") == name
            && let Some(Value::String(shown)) = last.get_mut("text")
        {
            shown.push_str(added);
            return;
        }
        self.push(json!({"output_type": "stream", "name": name, "text": added}));
    }

    fn display(&mut self, content: &Value, kind: &str) {
        let mut output = json!({
            "output_type": kind,
            "data": object(content, "data"),
            "metadata": object(content, "metadata"),
        });
        if kind == "execute_result" {
            output["execution_count"] = field(content, "execution_count");
        }
        self.push(output);
        if let Some(id) = display_id(content) {
            self.displays.entry(id).or_default().push(self.list.len() - 1);
        }
    }

    fn take_update(&mut self, content: &Value) {
        let Some(display_id) = display_id(content) else { return };
        let update = DisplayUpdate {
            display_id,
            data: object(content, "data"),
            metadata: object(content, "metadata"),
        };
        self.update(&update);
        self.updates.push(update);
    }

    fn push(&mut self, output: Value) {
        self.clear_if_due();
        self.list.push(output);
    }

    fn clear_if_due(&mut self) {
        if self.clear_on_next {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.displays.clear();
        self.clear_on_next = false;
    }
}

fn display_id(content: &Value) -> Option<String> {
    Some(content.get("transient")?.get("display_id")?.as_str()?.to_owned())
}

fn field(content: &Value, key: &str) -> Value {
    content.get(key).cloned().unwrap_or_default()
}

fn object(content: &Value, key: &str) -> Value {
    match content.get(key) {
        Some(Value::Object(map)) => Value::Object(map.clone()),
        _ => Value::Object(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(messages: &[(&str, Value)]) -> Outputs {
        let mut outputs = Outputs::default();
        for (msg_type, content) in messages {
            outputs.apply(msg_type, content);
        }
        outputs
    }

    fn stream(name: &str, text: &str) -> (&'static str, Value) {
        ("stream", json!({"name": name, "text": text}))
    }

    fn shown(id: &str, text: &str) -> Value {
        json!({"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": id}})
    }

    #[test]
    fn neighbouring_streams_of_one_name_merge() {
        let outputs = collect(&[
            stream("stdout", "a"),
            stream("stdout", "b\n"),
            stream("stderr", "c"),
            stream("stdout", "d"),
        ]);
        let texts: Vec<_> = outputs
            .list()
            .iter()
            .map(|output| (text(output, "name"), text(output, "text")))
            .collect();
        assert_eq!(texts, [("stdout", "ab\n"), ("stderr", "c"), ("stdout", "d")]);
    }

    #[test]
    fn every_kind_has_its_nbformat_fields() {
        let outputs = collect(&[
            ("status", json!({"execution_state": "busy"})),
            (
                "execute_result",
                json!({"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 3}),
            ),
            (
                "display_data",
                json!({"data": {"image/png": "x"}, "metadata": {"a": 1}, "transient": {}}),
            ),
            ("error", json!({"ename": "E", "evalue": "v", "traceback": ["t"]})),
        ]);
        let expected = json!([
            {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": 3},
            {"output_type": "display_data", "data": {"image/png": "x"}, "metadata": {"a": 1}},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
        ]);
        assert_eq!(Value::from(outputs.list().to_vec()), expected);
    }

    #[test]
    fn displays_are_updated_everywhere() {
        let mut first = collect(&[
            ("display_data", shown("d", "1")),
            ("display_data", shown("d", "1")),
            ("display_data", shown("e", "1")),
        ]);
        let second = collect(&[("update_display_data", shown("d", "2"))]);
        assert_eq!(second.list(), [] as [Value; 0]);
        for update in second.updates() {
            first.update(update);
        }
        let texts: Vec<_> = first
            .list()
            .iter()
            .map(|output| output["data"]["text/plain"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["2", "2", "1"]);
        // In the cell that made it, too.
        let own = collect(&[
            ("display_data", shown("d", "1")),
            ("update_display_data", shown("d", "2")),
        ]);
        assert_eq!(own.list()[0]["data"]["text/plain"], "2");
    }

    #[test]
    fn clear_output_at_once_and_at_the_next_output() {
        assert!(
            collect(&[stream("stdout", "a"), ("clear_output", json!({"wait": false}))])
                .list()
                .is_empty()
        );
        let waiting = collect(&[stream("stdout", "a"), ("clear_output", json!({"wait": true}))]);
        assert_eq!(waiting.list().len(), 1, "nothing new has come yet");
        let next = collect(&[
            stream("stdout", "a"),
            ("clear_output", json!({"wait": true})),
            stream("stdout", "b"),
        ]);
        assert_eq!(text(&next.list()[0], "text"), "b");
        // Positions of displays do not survive it.
        let mut cleared = collect(&[
            ("display_data", shown("d", "1")),
            ("clear_output", json!({})),
            stream("stdout", "b"),
        ]);
        cleared.apply("update_display_data", &shown("d", "2"));
        assert_eq!(cleared.list().len(), 1);
    }

    #[test]
    fn malformed_content_does_no_harm() {
        let outputs = collect(&[
            ("stream", json!(null)),
            ("error", json!({})),
            ("display_data", json!({"data": 3})),
            ("update_display_data", json!({})),
        ]);
        assert_eq!(outputs.list().len(), 3);
    }
}

//! What a cell needs of its host: GPUs by its request's metadata, else by its first line (`%%gpu n`), else by its kernel.

use serde_json::{Value, json};

use crate::message::JupyterMessage;

const MAGIC: &str = "%%gpu";

/// Where the number of a cell's GPUs comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Its request.
    Request,
    /// Its kernel, because nobody knows better.
    Kernel,
    /// Its kernel, and the cell may use one: why.
    Used(String),
    /// It is none, because the cell provably uses none.
    Unused,
}

impl Source {
    /// For people.
    fn why(&self) -> &str {
        match self {
            Self::Request => "the cell asks for them",
            Self::Kernel => "the kernel asks for them, and whether the cell uses one could not be told",
            Self::Used(why) => why,
            Self::Unused => "nothing that the cell can reach uses a GPU",
        }
    }
}

/// The reply's metadata say how many GPUs the cell had and why.
pub(super) fn explain(reply: &mut JupyterMessage, gpus: u32, source: &Source) {
    let mut metadata = serde_json::from_slice::<Value>(&reply.metadata).unwrap_or_default();
    if !metadata.is_object() {
        metadata = json!({});
    }
    if !metadata["nbos"].is_object() {
        metadata["nbos"] = json!({});
    }
    metadata["nbos"]["gpus"] = json!(gpus);
    metadata["nbos"]["why"] = json!(source.why());
    reply.metadata = metadata.to_string().into();
}

/// GPUs that a request asks for itself; none when it leaves that to its kernel. An error says what is wrong with it.
pub(super) fn gpus_of(message: &JupyterMessage) -> Result<Option<u32>, String> {
    let metadata = serde_json::from_slice::<Value>(&message.metadata).unwrap_or_default();
    if let Some(gpus) = metadata.get("nbos").and_then(|nbos| nbos.get("gpus")) {
        let count = gpus.as_u64().and_then(|gpus| u32::try_from(gpus).ok());
        return match count {
            Some(count) => Ok(Some(count)),
            None => Err(format!(
                "the cell's metadata asks for {gpus} GPUs, which is not a number of GPUs"
            )),
        };
    }
    let code = code_of(message).unwrap_or_default();
    match magic(&code) {
        None => Ok(None),
        Some((_, "")) => Ok(Some(1)),
        Some((line, count)) => match count.parse() {
            Ok(count) => Ok(Some(count)),
            Err(_) => Err(format!(
                "`{}` does not say how many GPUs: write `%%gpu 1`",
                line.trim_end()
            )),
        },
    }
}

/// The code of an `execute_request`.
pub(super) fn code_of(message: &JupyterMessage) -> Option<String> {
    let content: Value = serde_json::from_slice(&message.content).ok()?;
    content.get("code")?.as_str().map(str::to_owned)
}

/// The request as Python is to see it: the line for this system is a comment there, so that lines keep their numbers.
pub(super) fn for_python(message: &JupyterMessage) -> JupyterMessage {
    let mut message = message.clone();
    let Ok(mut content) = serde_json::from_slice::<Value>(&message.content) else {
        return message;
    };
    let Some(code) = content.get("code").and_then(Value::as_str) else {
        return message;
    };
    if let Some((line, _)) = magic(code) {
        content["code"] = Value::from(code.replacen(line, &format!("# {line}"), 1));
        message.content = content.to_string().into();
    }
    message
}

/// The line and what it says, if the first line that is not empty is the magic.
fn magic(code: &str) -> Option<(&str, &str)> {
    let line = code.lines().find(|line| !line.trim().is_empty())?;
    let rest = line.strip_prefix(MAGIC)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| (line, rest.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(code: &str, metadata: &Value) -> JupyterMessage {
        let mut message = JupyterMessage::build(&json!({}), "{}".into(), &json!({"code": code, "silent": false}));
        message.metadata = metadata.to_string().into();
        message
    }

    #[test]
    fn metadata_comes_before_the_magic_and_both_before_the_kernel() {
        let asked = |code: &str, metadata: Value| gpus_of(&request(code, &metadata));
        assert_eq!(asked("x = 1", json!({})), Ok(None));
        assert_eq!(asked("\n%%gpu 2\nx = 1", json!({})), Ok(Some(2)));
        assert_eq!(asked("%%gpu", json!({})), Ok(Some(1)));
        assert_eq!(asked("%%gpu 2", json!({"nbos": {"gpus": 0}})), Ok(Some(0)));
        assert_eq!(asked("%%gpuish\nx", json!({"nbos": {}})), Ok(None));
        assert_eq!(asked("x\n%%gpu 2", json!({"other": 1})), Ok(None), "not its first line");
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        assert!(gpus_of(&request("%%gpu two\nx", &json!({}))).is_err());
        for gpus in [json!(-1), json!("2"), json!(1.5), json!(1_u64 << 40)] {
            assert!(gpus_of(&request("x", &json!({"nbos": {"gpus": gpus}}))).is_err());
        }
    }

    #[test]
    fn python_sees_the_magic_as_a_comment() {
        let seen = |code: &str| code_of(&for_python(&request(code, &json!({}))));
        assert_eq!(seen("\n%%gpu 2\nx = 1").as_deref(), Some("\n# %%gpu 2\nx = 1"));
        assert_eq!(seen("x = '%%gpu'").as_deref(), Some("x = '%%gpu'"));
        let before = request("x = 1", &json!({"a": 1}));
        assert_eq!(for_python(&before), before, "byte for byte");
    }
}

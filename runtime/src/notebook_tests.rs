use super::*;

fn notebook() -> Notebook {
    let text = json!({
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}, "mine": [1]},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "# title"},
            {"cell_type": "code", "id": "a", "metadata": {}, "source": ["x = 1\n", "x"], "outputs": [{"old": 1}], "execution_count": 7},
            {"cell_type": "code", "id": "b", "metadata": {}, "source": "  \n", "outputs": [], "execution_count": null},
            {"cell_type": "code", "id": "c", "metadata": {"tags": ["raises-exception"]}, "source": "1/0", "outputs": [], "execution_count": null},
        ],
    });
    Notebook::parse(text.to_string().as_bytes()).unwrap()
}

fn outputs(messages: &[(&str, Value)]) -> Outputs {
    let mut outputs = Outputs::default();
    for (msg_type, content) in messages {
        outputs.apply(msg_type, content);
    }
    outputs
}

#[test]
fn code_cells_in_order_without_empty_ones() {
    let cells = notebook().code_cells();
    let seen: Vec<_> = cells
        .iter()
        .map(|cell| (cell.index, cell.source.as_str(), cell.may_fail))
        .collect();
    assert_eq!(seen, [(1, "x = 1\nx", MayFail::No), (3, "1/0", MayFail::Yes)]);
}

#[test]
fn outputs_are_stored_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ipynb");
    let mut notebook = notebook();
    notebook.clear();
    notebook.store(
        1,
        Some(1),
        outputs(&[("stream", json!({"name": "stdout", "text": "hi"}))]),
    );
    notebook.write(&path).unwrap();
    let root: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(root["metadata"]["mine"], json!([1]));
    assert_eq!(root["cells"][1]["source"], json!(["x = 1\n", "x"]));
    assert_eq!(
        root["cells"][1]["outputs"],
        json!([{"output_type": "stream", "name": "stdout", "text": "hi"}])
    );
    assert_eq!(root["cells"][1]["execution_count"], 1);
    assert_eq!(Notebook::read(&path).unwrap().root, notebook.root);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "temporary files are left"
    );
}

#[test]
fn a_later_cell_updates_an_earlier_display() {
    let display = |text: &str| json!({"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": "d"}});
    let mut notebook = notebook();
    notebook.clear();
    notebook.store(1, Some(1), outputs(&[("display_data", display("old"))]));
    notebook.store(3, Some(2), outputs(&[("update_display_data", display("new"))]));
    assert_eq!(notebook.root["cells"][1]["outputs"][0]["data"]["text/plain"], "new");
    assert_eq!(notebook.root["cells"][3]["outputs"], json!([]));
}

#[test]
fn what_is_not_a_notebook_is_one_clear_error() {
    for (text, part) in [
        ("{", "not JSON"),
        ("[]", "`nbformat`"),
        (r#"{"nbformat": 3}"#, "nbformat 3"),
        (r#"{"nbformat": 4}"#, "`cells`"),
    ] {
        let why = Notebook::parse(text.as_bytes()).unwrap_err();
        assert!(why.contains(part), "{why}");
    }
    let error = Notebook::read(Path::new("/nonexistent/a.ipynb")).unwrap_err();
    assert_eq!(error.code(), "NB0140");
    assert!(error.to_string().contains("/nonexistent/a.ipynb"), "{error}");
}

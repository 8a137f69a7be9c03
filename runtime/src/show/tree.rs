//! The supervision tree.

use crate::client::TreeNode;

/// Every path of the tree, one a line, with what is worth knowing about it.
pub(crate) fn tree(root: &TreeNode) -> String {
    let mut text = format!("{}\n", line(root, ""));
    children(root, "", &mut text);
    text
}

fn children(parent: &TreeNode, indent: &str, text: &mut String) {
    let last = parent.children.len().saturating_sub(1);
    for (index, child) in parent.children.iter().enumerate() {
        let (branch, below) = if index == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        text.push_str(&format!("{indent}{branch}{}\n", line(child, &parent.path)));
        children(child, &format!("{indent}{below}"), text);
    }
}

fn line(node: &TreeNode, parent: &str) -> String {
    let mark = match node.status.as_str() {
        "running" => "●",
        "starting" | "restarting" => "◐",
        "stopped" => "○",
        _ => "✗",
    };
    let name = node
        .path
        .strip_prefix(parent)
        .map_or(node.path.as_str(), |name| name.trim_start_matches('/'));
    // The top has no path.
    let name = if name.is_empty() { node.kind.as_str() } else { name };
    let mut line = format!("{mark} {name}");
    if !node.kind.is_empty() && node.kind != name {
        line.push_str(&format!(" ({})", node.kind));
    }
    if node.status != "running" {
        line.push_str(&format!("  {}", node.status.to_uppercase()));
    }
    if node.restarts > 0 {
        let times = if node.restarts == 1 { "restart" } else { "restarts" };
        line.push_str(&format!("  {} {times}", node.restarts));
    }
    if let Some(error) = &node.last_error {
        line.push_str(&format!("  last error: {}", error.lines().next().unwrap_or_default()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, status: &str, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            path: path.into(),
            kind: "actor".into(),
            node: "h1".into(),
            status: status.into(),
            restarts: 0,
            started_at: None,
            last_error: None,
            children,
        }
    }

    #[test]
    fn branches_status_and_errors() {
        let mut router = node("h1/mesh/router", "restarting", vec![]);
        router.restarts = 2;
        router.last_error = Some("socket closed\nwith details".into());
        let mesh = node("h1/mesh", "running", vec![router]);
        let h1 = node("h1", "running", vec![mesh, node("h1/host", "running", vec![])]);
        let root = TreeNode {
            kind: "cluster".into(),
            ..node("", "running", vec![h1, node("h2", "unreachable", vec![])])
        };
        let expected = "\
● cluster
├─ ● h1 (actor)
│  ├─ ● mesh (actor)
│  │  └─ ◐ router (actor)  RESTARTING  2 restarts  last error: socket closed
│  └─ ● host (actor)
└─ ✗ h2 (actor)  UNREACHABLE
";
        assert_eq!(tree(&root), expected);
    }
}

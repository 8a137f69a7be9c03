//! The ordinary days.

use std::fs;

use crate::node::{LONG, Node, Plan, cluster, poke};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// `COUNT DISORDER CALLS` of a node's counting endpoint.
fn counted(node: &mut Node, of: &str) -> String {
    let answer = node.ask(&format!("call {of} count 0 10000"));
    answer
        .rsplit_once(" (NB9998)")
        .and_then(|(text, _)| text.splitn(3, ' ').nth(2))
        .unwrap_or(&answer)
        .to_owned()
}

#[test]
fn calls_reach_every_node_and_every_failure_has_its_code() {
    let plan = Plan::new(&["a", "b"]);
    let mut nodes = cluster(&plan);
    for (at, to) in [(0, "b"), (1, "a"), (0, "a")] {
        let node = &mut nodes[at];
        assert_eq!(node.ask(&format!("call {to} echo 100 5000")), "ok 100 true");
        assert_eq!(node.ask(&format!("call {to} echo 0 5000")), "ok 0 true");
        assert!(node.ask(&format!("call {to} nowhere 1 5000")).starts_with("NB0213"));
        assert!(node.ask(&format!("call {to} ended 1 5000")).starts_with("NB0213"));
        assert!(node.ask(&format!("call {to} hold 1 100")).starts_with("NB0211"));
        let fault = node.ask(&format!("call {to} refuse 1 5000"));
        assert!(
            fault.starts_with("NB0214") && fault.ends_with("not today (NB9999)"),
            "{fault}"
        );
        let dropped = node.ask(&format!("call {to} silent 1 5000"));
        assert!(
            dropped.starts_with("NB0214") && dropped.ends_with("(NB0216)"),
            "{dropped}"
        );
        assert!(
            node.ask(&format!("call {to} echo {} 5000", (64 << 20) + 1))
                .starts_with("NB0215")
        );
    }
    assert!(nodes[0].ask("call z echo 1 2000").starts_with("NB0210"));
    println!("round trip: {}", nodes[0].ask("time b 2000"));
}

#[test]
fn large_bodies_travel_in_pieces_beside_small_ones() {
    let mut nodes = cluster(&Plan::new(&["a", "b"]));
    for size in [1 << 20, (1 << 20) + 1, 5_000_000, 64 << 20] {
        assert_eq!(
            nodes[0].ask(&format!("call b echo {size} 60000")),
            format!("ok {size} true")
        );
    }
    // A transfer that is given up leaves nothing behind that would stop the next ones.
    for _ in 0..5 {
        assert!(
            nodes[1]
                .ask(&format!("call a echo {} 5", 60 << 20))
                .starts_with("NB0211")
        );
    }
    assert_eq!(
        nodes[1].ask(&format!("call a echo {} 60000", 60 << 20)),
        format!("ok {} true", 60 << 20)
    );
}

#[test]
fn casts_come_in_order_and_a_flood_is_told_busy() {
    let mut nodes = cluster(&Plan::new(&["a", "b"]));
    assert_eq!(nodes[0].ask("cast b count 2000 100"), "busy 0");
    // Some of these are cut in pieces.
    assert_eq!(nodes[0].ask("cast b count 3 2000000"), "busy 0");
    assert_eq!(nodes[0].ask("cast a count 2000 100"), "busy 0");
    assert_eq!(counted(&mut nodes[0], "a"), "2000 0 0");
    // One restart of the numbering: the second series begins at zero again.
    assert_eq!(counted(&mut nodes[0], "b"), "2003 1 0");
    let flood = nodes[0].ask("cast b count 300 1000000");
    let busy: u32 = flood.split(' ').nth(1).unwrap().parse().unwrap();
    assert!((1..300).contains(&busy), "{flood}");
    assert_eq!(counted(&mut nodes[0], "b"), format!("{} 2 0", 2003 + 300 - busy));
    assert!(nodes[0].ask(&format!("cast b count 1 {}", 9 << 20)).ends_with("NB0215"));
    // The budget comes back.
    assert_eq!(nodes[0].ask("cast b count 1 5000000"), "busy 0");
}

#[test]
fn three_nodes_link_each_pair_once_and_peers_can_be_removed() {
    let plan = Plan::new(&["a", "b", "c"]);
    let mut nodes = cluster(&plan);
    for (at, others) in [(0, ["b", "c"]), (1, ["a", "c"]), (2, ["a", "b"])] {
        for to in others {
            assert_eq!(nodes[at].ask(&format!("call {to} echo 10 5000")), "ok 10 true");
        }
    }
    let b = plan.addresses["b"];
    nodes[2].forget();
    assert_eq!(nodes[0].ask(&format!("set b={b}")), "ok");
    nodes[2].sees("a", "down");
    assert!(nodes[0].ask("call c echo 1 500").starts_with("NB0210"));
    assert_eq!(nodes[0].ask("call b echo 1 5000"), "ok 1 true");
    let c = plan.addresses["c"];
    nodes[0].ask(&format!("set b={b},c={c}"));
    nodes[2].sees("a", "up");
    assert_eq!(nodes[2].ask("call a echo 1 5000"), "ok 1 true");
}

#[test]
fn the_meshs_own_actors_can_be_restarted() {
    let mut nodes = cluster(&Plan::new(&["a", "b"]));
    for path in ["mesh/links", "mesh/router", "mesh/node-server", "mesh"] {
        for at in [0, 1] {
            let other = ["b", "a"][at];
            nodes[0].forget();
            nodes[1].forget();
            assert_eq!(nodes[at].ask(&format!("restart {path}")), "ok");
            nodes[at].sees(other, "up");
            // The other side may notice a moment later.
            let deadline = std::time::Instant::now() + LONG;
            while nodes[1 - at].ask(&format!("call {} echo 9 1000", ["a", "b"][at])) != "ok 9 true" {
                assert!(
                    std::time::Instant::now() < deadline,
                    "{path} of node {at} did not come back"
                );
            }
            assert_eq!(
                nodes[at].ask(&format!("call {other} echo 9 5000")),
                "ok 9 true",
                "{path}"
            );
        }
    }
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let plan = Plan::new(&["a"]);
    let _taken = std::net::TcpListener::bind(plan.addresses["a"]).unwrap();
    let (_, line) = plan.start_unready("a").wait("ready");
    assert!(
        line.starts_with("NB0201 the mesh cannot listen on 127.0.0.1:"),
        "{line}"
    );
}

#[test]
fn links_can_be_tls() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&["a", "b", "c"]);
    plan.tls = Some(directory.path().to_str().unwrap().to_owned());
    let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", authority.self_signed(&authority_key).unwrap().pem());
    let issuer = Issuer::new(authority, authority_key);
    for name in ["a", "b"] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["nbos".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    let mut nodes = [plan.start("a"), plan.start("b")];
    nodes[0].sees("b", "up");
    nodes[1].sees("a", "up");
    assert_eq!(nodes[0].ask("call b echo 3000000 10000"), "ok 3000000 true");
    // Plain text is told what is missing.
    let line = poke(plan.addresses["a"], b"GET / HTTP/1.1\r\n\r\n");
    assert!(line.contains("NB0208 this port needs TLS"), "{line:?}");
    // The right secret, but a certificate of its own making.
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["nbos".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    write("c.pem", own.pem());
    write("c.key", key.serialize_pem());
    let mut stranger = plan.start("c");
    assert!(
        stranger
            .wait_within("state a up", std::time::Duration::from_secs(2))
            .is_none()
    );
    write("c.key", "nonsense".to_owned());
    drop(stranger);
    let (_, line) = plan.start_unready("c").wait("ready");
    assert!(line.starts_with("NB0208") && line.contains("c.key"), "{line}");
}

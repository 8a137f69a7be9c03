//! What goes wrong.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::node::{Node, Plan, cluster, poke};
use nix::sys::signal::Signal;

/// The two of a pair: `a` accepts, `b` dials. Each case is run from both sides.
const SIDES: [(usize, usize, &str, &str); 2] = [(0, 1, "a", "b"), (1, 0, "b", "a")];

/// How long after `since` the observer saw the peer in the state.
fn delay(observer: &mut Node, peer: &str, state: &str, since: std::time::Instant) -> Duration {
    let (when, _) = observer.sees(peer, state);
    let delay = when.duration_since(since);
    println!("{peer} seen {state} after {delay:?}");
    delay
}

#[test]
fn a_killed_process_is_down_at_once_and_its_successor_is_another_incarnation() {
    let plan = Plan::new(&["a", "b"]);
    for (observer, victim, _, name) in SIDES {
        let mut nodes = cluster(&plan);
        nodes[observer].forget();
        nodes[observer].tell(&format!("later call {name} hold 1 15000"));
        assert_eq!(
            nodes[observer].ask(&format!("call {name} echo 10 5000")).as_str(),
            "ok 10 true"
        );
        let killed = nodes[victim].signal(Signal::SIGKILL);
        // A call under way is told, long before its own deadline.
        let (when, answer) = nodes[observer].wait("later");
        assert!(answer.starts_with("NB0210"), "{answer}");
        assert!(
            when.duration_since(killed) < Duration::from_secs(1),
            "{:?}",
            when.duration_since(killed)
        );
        assert!(delay(&mut nodes[observer], name, "down", killed) < Duration::from_secs(1));
        assert!(
            nodes[observer]
                .ask(&format!("call {name} echo 10 5000"))
                .starts_with("NB0210")
        );
        nodes[victim] = plan.start(name);
        nodes[observer].sees(name, "up");
        assert_eq!(nodes[observer].ask(&format!("call {name} echo 10 5000")), "ok 10 true");
    }
}

#[test]
fn a_stopped_process_is_suspected_and_comes_back() {
    let plan = Plan::new(&["a", "b"]);
    let mut nodes = cluster(&plan);
    for (observer, victim, own, name) in SIDES {
        nodes[observer].forget();
        nodes[victim].forget();
        let stopped = nodes[victim].signal(Signal::SIGSTOP);
        let delay = delay(&mut nodes[observer], name, "suspected", stopped);
        assert!(delay <= Duration::from_millis(1500), "suspected after {delay:?}");
        // What was sent to it meanwhile is not done later.
        assert!(
            nodes[observer]
                .ask(&format!("call {name} count 8 300"))
                .starts_with("NB0211")
        );
        nodes[victim].signal(Signal::SIGCONT);
        nodes[observer].sees(name, "up");
        assert_eq!(nodes[observer].ask(&format!("call {name} echo 10 5000")), "ok 10 true");
        assert_eq!(nodes[victim].ask(&format!("call {own} echo 10 5000")), "ok 10 true");
        let count = nodes[observer].ask(&format!("call {name} count 0 5000"));
        assert!(count.contains(" 0 0 0 (NB9998)"), "{count}");
        // Its own pause does not make it suspect us.
        assert!(
            nodes[victim]
                .wait_within(&format!("state {own}"), Duration::ZERO)
                .is_none()
        );
    }
}

#[test]
fn a_long_stop_ends_in_down_and_the_same_incarnation_returns() {
    let plan = Plan::new(&["a", "b"]);
    let mut nodes = cluster(&plan);
    for (observer, victim, own, name) in SIDES {
        nodes[observer].forget();
        nodes[victim].forget();
        let stopped = nodes[victim].signal(Signal::SIGSTOP);
        nodes[observer].sees(name, "suspected");
        let delay = delay(&mut nodes[observer], name, "down", stopped);
        assert!(
            delay >= Duration::from_secs(4) && delay < Duration::from_secs(8),
            "down after {delay:?}"
        );
        nodes[victim].signal(Signal::SIGCONT);
        nodes[observer].sees(name, "up");
        assert_eq!(nodes[observer].ask(&format!("call {name} echo 10 5000")), "ok 10 true");
        assert_eq!(nodes[victim].ask(&format!("call {own} echo 10 5000")), "ok 10 true");
    }
}

#[test]
fn a_stopped_process_that_is_then_killed_is_down() {
    let plan = Plan::new(&["a", "b"]);
    for (observer, victim, _, name) in SIDES {
        let mut nodes = cluster(&plan);
        nodes[observer].forget();
        nodes[victim].signal(Signal::SIGSTOP);
        nodes[observer].sees(name, "suspected");
        let killed = nodes[victim].signal(Signal::SIGKILL);
        assert!(delay(&mut nodes[observer], name, "down", killed) < Duration::from_secs(1));
    }
}

#[test]
fn garbage_on_the_port_gets_one_line_and_disturbs_nobody() {
    let plan = Plan::new(&["a", "b"]);
    let mut nodes = cluster(&plan);
    nodes.iter_mut().for_each(Node::forget);
    for round in 0..20 {
        for garbage in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x00",
            &vec![0xa5; 60_000],
            b"NBOS\x01\x00\x02\x00\xff\xff",
        ] {
            let line = poke(plan.addresses["a"], garbage);
            assert!(line.starts_with("NB0202 ") && line.lines().count() == 1, "{line:?}");
        }
        assert_eq!(
            nodes[round % 2].ask(&format!("call {} echo 10 5000", ["b", "a"][round % 2])),
            "ok 10 true"
        );
    }
    for node in &mut nodes {
        assert!(node.wait_within("state", Duration::ZERO).is_none());
    }
}

#[test]
fn idle_strangers_are_few_and_do_not_stay() {
    let plan = Plan::new(&["a", "b"]);
    let mut nodes = cluster(&plan);
    let address = plan.addresses["a"];
    let mut idle: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    // The last of them has been accepted once one more is turned away.
    let mut line = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut line).unwrap();
    assert!(line.starts_with("NB0205 "), "{line:?}");
    assert_eq!(nodes[0].ask("call b echo 10 5000"), "ok 10 true");
    let mut line = String::new();
    idle[0].set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    idle[0].read_to_string(&mut line).unwrap();
    assert!(line.starts_with("NB0206 "), "{line:?}");
    // A node that restarts meanwhile gets in once they are gone.
    nodes.remove(1);
    nodes[0].sees("b", "down");
    let mut again = plan.start("b");
    again.sees("a", "up");
}

#[test]
fn a_node_with_another_secret_stays_outside() {
    let mut plan = Plan::new(&["a", "b", "c"]);
    let mut nodes = [plan.start("a"), plan.start("b")];
    nodes[0].sees("b", "up");
    nodes[1].sees("a", "up");
    nodes[0].forget();
    plan.secret = "another one".to_owned();
    let mut outsider = plan.start("c");
    assert!(outsider.wait_within("state a up", Duration::from_secs(2)).is_none());
    assert!(outsider.ask("call a echo 1 500").starts_with("NB0210"));
    assert!(nodes[0].wait_within("state c up", Duration::ZERO).is_none());
    assert!(nodes[0].wait_within("state b", Duration::ZERO).is_none());
    assert_eq!(nodes[0].ask("call b echo 10 5000"), "ok 10 true");
}

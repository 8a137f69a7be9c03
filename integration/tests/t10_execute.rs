//! A session as a front end sees it.

use std::time::Duration;

use nbos::client::{Channel, Client, Execute, Framing, Message};
use nbos_integration::{Cells, Cluster, Http, LONG, SHORT, assert_distinct_hosts, eventually, holds, is_alive, within};
use serde_json::{Value, json};

/// A request with everything a front end may set.
fn request(cells: &Cells, code: &str, allow_stdin: bool) -> Message {
    let content = json!({"code": code, "silent": false, "store_history": true, "user_expressions": {},
        "allow_stdin": allow_stdin, "stop_on_error": true});
    Message::request(
        Channel::Shell,
        "execute_request",
        cells.connection.session(),
        None,
        content,
    )
}

/// The next message that fits.
async fn next(cells: &mut Cells, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
    within(what, LONG, async {
        loop {
            let message = cells
                .connection
                .recv()
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            if fits(&message) {
                return message;
            }
        }
    })
    .await
}

async fn ask(cells: &mut Cells, kind: &str, content: Value) -> Value {
    let reply = within(kind, SHORT, cells.connection.request(Channel::Shell, kind, content)).await;
    reply.unwrap_or_else(|error| panic!("{kind}: {error}")).content
}

#[tokio::test]
async fn a_kernel_is_created_listed_and_deleted_without_a_trace() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    let ready = async || {
        let hosts = client.hosts(SHORT).await.unwrap_or_default();
        !hosts.is_empty() && hosts.iter().all(|host| host.warm == Some(1))
    };
    holds("every host has started a kernel ahead", LONG, ready).await;
    let idle = cluster.processes().len();
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("pass").await;
    let record = kernel.settled().await;
    assert_distinct_hosts(&record, 3);
    assert!(
        record.replicas.iter().all(|replica| replica.pid.is_some_and(is_alive)),
        "{:?}",
        record.replicas
    );
    for node in cluster.nodes() {
        let ids: Vec<_> = cluster
            .client_of(node.name())
            .kernels()
            .await
            .expect("a list")
            .into_iter()
            .map(|kernel| kernel.id)
            .collect();
        assert_eq!(ids, [kernel.id.as_str()], "through {}", node.name());
    }
    assert_eq!(client.kernel(&kernel.id).await.expect("a model").name, "python3");
    let specs = client.get("/api/kernelspecs", SHORT).await.expect("kernelspecs");
    assert_eq!(
        specs["kernelspecs"][specs["default"].as_str().expect("a default")]["spec"]["language"],
        "python"
    );

    kernel.delete().await;
    for node in cluster.nodes() {
        let gone = async || {
            cluster
                .client_of(node.name())
                .kernel(&kernel.id)
                .await
                .is_err_and(|error| error.status() == Some(404))
        };
        holds(&format!("404 through {}", node.name()), SHORT, gone).await;
    }
    holds("its Python processes are gone", SHORT, async || {
        cluster.processes().len() <= idle
    })
    .await;
}

#[tokio::test]
async fn cells_work_in_both_framings_and_share_one_session() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut lab = kernel.open(Framing::V1).await;
    let mut classic = kernel.open(Framing::Legacy).await;
    assert_eq!(lab.ok("x = 40\nprint('lab')").await, "lab\n");
    let outcome = classic.run(&Execute::new("x += 2; x")).await;
    assert_eq!((outcome.result(), outcome.execution_count()), (Some("42"), Some(2)));
    assert_eq!(lab.value("[x, len(In) - 1]").await, json!([42, 3]));

    let error = classic.fails("1 / 0").await;
    assert_eq!(error.ename, "ZeroDivisionError");
    assert!(error.traceback.join("").contains("division by zero"), "{error:?}");
    assert_eq!(lab.value("x").await, 42);
    let both = lab
        .run(&Execute::new("import sys; print('out'); print('err', file=sys.stderr)"))
        .await;
    assert_eq!((both.stdout().as_str(), both.stderr().as_str()), ("out\n", "err\n"));
}

#[tokio::test]
async fn what_waits_behind_a_failing_cell_is_aborted() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    let burst = ["survivor = 1", "1 / 0", "survivor = 2", "survivor = 3"].map(|code| request(&cells, code, false));
    for request in &burst {
        cells.connection.send(request).await.expect("sent");
    }
    let mut statuses = Vec::new();
    for request in &burst {
        let reply = next(&mut cells, "a reply", |message| {
            message.channel == Channel::Shell && message.parent_id() == request.msg_id()
        });
        statuses.push(reply.await.content["status"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(statuses, ["ok", "error", "aborted", "aborted"]);
    assert_eq!(cells.value("survivor").await, 1);
}

#[tokio::test]
async fn input_is_asked_of_the_requester_alone() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut asking = kernel.open_at(&cluster.client_of("h1"), Framing::V1).await;
    let mut watching = kernel.open_at(&cluster.client_of("h2"), Framing::Legacy).await;
    let cell = request(&asking, "name = input('who? ')\nprint('hello', name)", true);
    asking.connection.send(&cell).await.expect("sent");
    let question = next(&mut asking, "an input_request", |message| {
        message.channel == Channel::Stdin
    })
    .await;
    assert_eq!(question.content["prompt"], "who? ");
    let mut answer = Message::request(
        Channel::Stdin,
        "input_reply",
        asking.connection.session(),
        None,
        json!({"value": "Ada"}),
    );
    answer.parent_header = question.header.clone();
    asking.connection.send(&answer).await.expect("sent");
    let reply = next(&mut asking, "the reply", |message| {
        message.msg_type() == "execute_reply"
    })
    .await;
    assert_eq!(reply.content["status"], "ok");

    let mut seen = Vec::new();
    let done = |message: &Message| message.status() == Some("idle") && message.parent_id() == cell.msg_id();
    while !seen.last().is_some_and(done) {
        seen.push(next(&mut watching, "the other client's view", |_| true).await);
    }
    assert!(
        seen.iter().any(|message| message.content["text"] == "hello Ada\n"),
        "output goes to every client"
    );
    let private = |message: &&Message| message.channel == Channel::Stdin || message.msg_type() == "execute_reply";
    assert_eq!(
        seen.iter().find(private),
        None,
        "the question and the reply are the requester's"
    );
}

#[tokio::test]
async fn other_requests_reach_the_kernel_unchanged() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::Legacy).await;
    cells.ok("number_of_cells = 1").await;
    let info = ask(&mut cells, "kernel_info_request", json!({})).await;
    assert_eq!(info["language_info"]["name"], "python");
    let completion = ask(
        &mut cells,
        "complete_request",
        json!({"code": "number_of_", "cursor_pos": 10}),
    )
    .await;
    assert_eq!(completion["matches"][0], "number_of_cells");
    let inspection = ask(
        &mut cells,
        "inspect_request",
        json!({"code": "len", "cursor_pos": 3, "detail_level": 0}),
    )
    .await;
    assert_eq!(inspection["found"], true);
    let complete = ask(&mut cells, "is_complete_request", json!({"code": "for x in y:"})).await;
    assert_eq!(complete["status"], "incomplete");
    let wanted = json!({"output": false, "raw": true, "hist_access_type": "tail", "n": 5, "session": 0, "start": 0, "stop": 1, "unique": false, "pattern": ""});
    let history = ask(&mut cells, "history_request", wanted).await;
    assert!(history["history"].to_string().contains("number_of_cells"), "{history}");

    cells.ok("def opened(comm, message):\n    comm.send({'echo': message['content']['data']})\nget_ipython().kernel.comm_manager.register_target('echo', opened)").await;
    let open = json!({"comm_id": "c1", "target_name": "echo", "data": {"n": 7}});
    let open = Message::request(Channel::Shell, "comm_open", cells.connection.session(), None, open);
    cells.connection.send(&open).await.expect("sent");
    let echo = next(&mut cells, "the comm's answer", |message| {
        message.msg_type() == "comm_msg"
    })
    .await;
    assert_eq!(echo.content["data"]["echo"]["n"], 7);
    let odd = Message::request(
        Channel::Shell,
        "nobody_knows_request",
        cells.connection.session(),
        None,
        json!({"a": [1]}),
    );
    cells.connection.send(&odd).await.expect("sent");
    assert_eq!(cells.value("number_of_cells").await, 1);
}

#[tokio::test]
async fn interrupt_ends_the_cell_and_restart_empties_the_session() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("kept = 1").await;
    let endless = request(
        &cells,
        "import time\nprint('begun')\nwhile True:\n    time.sleep(0.01)",
        false,
    );
    cells.connection.send(&endless).await.expect("sent");
    next(&mut cells, "the cell runs", |message| message.msg_type() == "stream").await;
    cluster
        .client_of("h3")
        .interrupt(&kernel.id)
        .await
        .expect("interrupted");
    let reply = next(&mut cells, "its reply", |message| message.msg_type() == "execute_reply").await;
    assert_eq!(reply.content["ename"], "KeyboardInterrupt");
    assert_eq!(cells.value("kept").await, 1);

    within("the kernel restarts", LONG, cluster.client_of("h2").restart(&kernel.id))
        .await
        .expect("restarted");
    let mut cells = kernel.open(Framing::V1).await;
    assert_eq!(cells.fails("kept").await.ename, "NameError");
    kernel.settled().await;
    kernel.handover(None).await;
    assert_eq!(cells.fails("kept").await.ename, "NameError", "no replica remembers");
}

#[tokio::test]
async fn one_message_id_runs_once_however_often_it_is_sent() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut first = kernel.open_at(&cluster.client_of("h1"), Framing::V1).await;
    let mut second = kernel.open_at(&cluster.client_of("h2"), Framing::Legacy).await;
    first.ok("count = 0").await;
    let cell = Execute::new("import time; time.sleep(0.3); count += 1; print('count', count)");
    let (one, two) = tokio::join!(first.run(&cell), second.run(&cell));
    assert_eq!(
        (one.stdout().as_str(), two.stdout().as_str()),
        ("count 1\n", "count 1\n")
    );
    assert_eq!(one.execution_count(), two.execution_count());
    let later = kernel
        .open_at(&cluster.client_of("h3"), Framing::V1)
        .await
        .run(&cell)
        .await;
    assert_eq!(
        (later.stdout().as_str(), later.is_ok()),
        ("count 1\n", true),
        "long after it ended"
    );
    assert_eq!(first.value("count").await, 1);
}

/// GPUs that a kernel holds anywhere.
async fn leased(client: &Client, kernel: &str) -> usize {
    let hosts = client.hosts(SHORT).await.unwrap_or_default();
    hosts
        .iter()
        .flat_map(|host| &host.gpus)
        .filter(|gpu| gpu.lease.to_string().contains(kernel))
        .count()
}

#[tokio::test]
async fn gpus_are_leased_for_the_cell_and_not_a_moment_longer() {
    let cluster = Cluster::start().await;
    let (client, kernel) = (cluster.client(), cluster.kernel().await);
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("import os, time").await;
    let flag = cluster.path("go-on");
    let mut cell = Execute::new(format!("while not os.path.exists({flag:?}):\n    time.sleep(0.01)"));
    cell.metadata = json!({"nbos": {"gpus": 2}});
    let running = tokio::spawn(async move { (cells.run(&cell).await, cells) });
    holds("two GPUs are leased", SHORT, async || {
        leased(&client, &kernel.id).await == 2
    })
    .await;
    std::fs::write(&flag, "").expect("the flag");
    let (outcome, mut cells) = running.await.expect("the cell ends");
    assert!(outcome.is_ok(), "{:?}", outcome.reply);
    eventually("the lease is over", Duration::from_secs(2), async || {
        (leased(&client, &kernel.id).await == 0).then_some(())
    })
    .await;

    let mut greedy = Execute::new("print('ran')");
    greedy.metadata = json!({"nbos": {"gpus": 5}});
    let error = cells.run(&greedy).await.error().expect("no host has five");
    assert!(error.evalue.contains("NB07"), "{error:?}");
    assert_eq!(cells.ok("print('still here')").await, "still here\n");
}

#[tokio::test]
async fn sessions_bind_a_notebook_to_its_kernel_on_every_gateway() {
    let cluster = Cluster::start().await;
    let token = cluster.connection().token;
    let at = |node: &str| Http::new(cluster.node(node).gateway_address(), &token);
    let wanted = br#"{"path": "a/b.ipynb", "name": "b", "type": "notebook", "kernel": {"name": "python3"}}"#;
    let created = at("h1").send("POST", "/api/sessions", wanted).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    let (session, kernel) = (text(&created.body["id"]), text(&created.body["kernel"]["id"]));
    let path = format!("/api/sessions/{session}");
    let same = eventually("the session is known to h2", SHORT, async || {
        let seen = at("h2").send("GET", &path, b"").await;
        (seen.status == 200).then_some(seen)
    });
    assert_eq!(same.await.body["kernel"]["id"], json!(kernel));
    let again = at("h2").send("POST", "/api/sessions", wanted).await;
    assert_eq!(
        (again.status, text(&again.body["id"])),
        (201, session),
        "the same path, the same session"
    );
    let renamed = at("h3").send("PATCH", &path, br#"{"path": "c.ipynb"}"#).await;
    assert_eq!((renamed.status, &renamed.body["path"]), (200, &json!("c.ipynb")));
    assert_eq!(at("h1").send("DELETE", &path, b"").await.status, 204);
    let gone = async || {
        at("h2")
            .send("GET", &format!("/api/kernels/{kernel}"), b"")
            .await
            .status
            == 404
    };
    holds("the kernel went with its session", SHORT, gone).await;
}

#[tokio::test]
async fn ten_megabytes_of_output_arrive_whole_and_in_order() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut near = kernel.open_at(&cluster.client_of("h1"), Framing::V1).await;
    let mut far = kernel.open_at(&cluster.client_of("h3"), Framing::Legacy).await;
    let flood = "for line in range(1000):\n    print(f'{line:04}' + 'x' * 9_995)";
    for (cells, name) in [(&mut near, "near"), (&mut far, "far")] {
        let outcome = cells.run(&Execute::new(flood)).await;
        let shown = outcome.stdout();
        assert_eq!(
            shown.len(),
            10_000_000,
            "{name}: {:?}; stderr: {}",
            outcome.reply,
            outcome.stderr()
        );
        let numbers = shown.lines().map(|line| line[..4].parse::<usize>().expect("a number"));
        assert!(numbers.eq(0..1000), "a line is missing, double or out of order");
    }
    assert_eq!(near.ok("print('fine')").await, "fine\n");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

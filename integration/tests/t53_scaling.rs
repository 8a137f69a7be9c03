//! Hosts come when they are missing and go when they are not.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use nbos::client::{Execute, Framing, Host, Scaling, StartOptions};
use nbos_integration::{
    Cluster, Kernel, LONG, SHORT, Shape, assert_distinct_hosts, eventually, holds, is_alive, within,
};
use serde_json::json;

/// Ports below those that the system gives to outgoing connections, above those of the scenarios' nodes.
const PORTS: std::ops::Range<u16> = 30_000..32_000;

/// Hosts that a scenario may add get ports in a row.
const ROW: u16 = 8;

/// The first of some free ports.
fn first_port() -> u16 {
    let rows = (PORTS.end - PORTS.start) / ROW;
    let first = (std::process::id() % u32::from(rows)) as u16;
    let candidates = (first..rows).chain(0..first).map(|row| PORTS.start + row * ROW);
    let is_free = |first: &u16| (*first..*first + ROW).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    candidates.into_iter().find(is_free).expect("free ports")
}

/// Three hosts of one GPU that take one kernel of one GPU each three, and more hosts as `hosts` says.
fn shape(hosts: &str) -> Shape {
    let mesh = format!("127.0.0.1:{}", first_port());
    Shape {
        gpus: 1,
        extra: format!(
            "[scheduler]\nmax_subscription = 0.5\ncool_down = 2\n\
             hosts = {{ {hosts}, mesh = \"{mesh}\", gpus = {{ simulated = 1 }} }}\n"
        ),
        ..Shape::default()
    }
}

async fn scaling(cluster: &Cluster) -> Scaling {
    eventually("the cluster tells how it scales", SHORT, async || {
        cluster.client().scaling().await.ok()
    })
    .await
}

async fn up(cluster: &Cluster) -> Vec<Host> {
    let hosts = cluster.client().hosts(SHORT).await.unwrap_or_default();
    hosts.into_iter().filter(Host::is_up).collect()
}

async fn is_up(cluster: &Cluster, name: &str) {
    holds(&format!("host {name} is up"), LONG, async || {
        up(cluster).await.iter().any(|host| host.name == name)
    })
    .await;
}

async fn kernel_of_one_gpu(cluster: &Cluster) -> Kernel {
    let options = StartOptions {
        gpus: Some(1),
        ..StartOptions::default()
    };
    cluster.kernel_with(&options).await
}

async fn homes(kernel: &Kernel) -> Vec<String> {
    let record = kernel.record().await;
    assert_distinct_hosts(&record, 3);
    record.replicas.into_iter().map(|replica| replica.host).collect()
}

/// Returns when the hosts of the configuration are alone again.
async fn shrinks(cluster: &Cluster) {
    holds("the added host is drained and removed", LONG, async || {
        let Ok(scaling) = cluster.client().scaling().await else {
            return false;
        };
        scaling.hosts.is_empty() && up(cluster).await.len() == 3
    })
    .await;
}

#[tokio::test]
async fn kernels_beyond_the_limit_bring_a_host_and_their_end_takes_it_away() {
    let cluster = Cluster::shaped(shape("provider = \"process\", min = 3, max = 4")).await;
    let first = kernel_of_one_gpu(&cluster).await;
    assert_eq!(scaling(&cluster).await.hosts, [], "three hosts take one kernel");
    let second = kernel_of_one_gpu(&cluster).await;
    is_up(&cluster, "auto-1").await;
    assert!(
        homes(&second).await.contains(&"auto-1".to_owned()),
        "the new host is used"
    );
    let mut cells = second.open(Framing::V1).await;
    cells.ok("kept = list(range(1000)); alias = kept").await;
    second.settled().await;

    // The maximum is reached: a kernel is placed where there is room, and no further host comes.
    let third = kernel_of_one_gpu(&cluster).await;
    third.open(Framing::V1).await.ok("here = True").await;
    let now = scaling(&cluster).await;
    assert_eq!((now.hosts.len(), now.max), (1, 4));
    let hosts = up(&cluster).await;
    let shown = |name: &str| hosts.iter().find(|host| host.name == name).expect("the host is listed");
    assert!(shown("auto-1").added && !shown("h1").added);
    assert_eq!(shown("auto-1").subscription_limit, Some(0.5));
    let table = cluster.nbos(&["hosts"]).await;
    assert!(
        table.stdout.contains("auto-1") && table.stdout.contains("subscribed up to 0.50"),
        "{}",
        table.stdout
    );

    let process = cluster.connection();
    let process = process.nodes.iter().find(|node| node.name == "auto-1");
    let pid = process.expect("connection.json has the new host").pid;
    assert!(is_alive(pid));
    first.delete().await;
    third.delete().await;
    shrinks(&cluster).await;
    holds("its process and directory are gone", SHORT, async || {
        let listed = cluster.connection().nodes.iter().any(|node| node.name == "auto-1");
        !is_alive(pid) && !listed && !cluster.node_dir("auto-1").exists()
    })
    .await;
    assert!(!homes(&second).await.contains(&"auto-1".to_owned()));
    let mut cells = second.open(Framing::V1).await;
    cells.ok("alias.append(1); assert len(kept) == 1001, kept").await;
    second.settled().await;
}

#[tokio::test]
async fn added_hosts_are_there_again_after_everything_was_killed() {
    let mut cluster = Cluster::shaped(shape("provider = \"process\", min = 4, max = 5")).await;
    // The order is agreed on; nobody has seen it carried out yet.
    holds("a host is ordered", SHORT, async || {
        !scaling(&cluster).await.hosts.is_empty()
    })
    .await;
    cluster.kill_9_everything().await;
    cluster.up().await;
    is_up(&cluster, "auto-1").await;
    let kernel = kernel_of_one_gpu(&cluster).await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("kept = 'here'").await;
    kernel.settled().await;
    let before = homes(&kernel).await;
    cluster.kill_9_everything().await;
    cluster.up().await;
    is_up(&cluster, "auto-1").await;
    cluster.whole_of(4).await;
    let hosts = scaling(&cluster).await.hosts;
    assert_eq!(
        hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(),
        ["auto-1"]
    );
    assert_eq!(kernel.notebook(cluster.client()).value("kept").await, "here");
    assert_eq!(homes(&kernel).await, before);
}

#[tokio::test]
async fn a_cell_that_waits_brings_a_host() {
    let hosts = shape("provider = \"process\", min = 3, max = 4");
    let cluster = Cluster::shaped(Shape {
        extra: hosts.extra.replace("max_subscription = 0.5", "max_subscription = 7.0"),
        ..hosts
    })
    .await;
    let flag = cluster.path("go-on");
    let mut holders = Vec::new();
    // Three run, and one waits.
    for _ in 0..4 {
        let kernel = kernel_of_one_gpu(&cluster).await;
        let mut cells = kernel.open(Framing::V1).await;
        // A cell that could do without a GPU asks for one.
        let cell = Execute {
            metadata: json!({"nbos": {"gpus": 1}}),
            ..Execute::new(format!(
                "import os, time\nwhile not os.path.exists({flag:?}):\n    time.sleep(0.01)"
            ))
        };
        holders.push(tokio::spawn(async move { cells.run(&cell).await.is_ok() }));
    }
    holds("a cell is seen to wait", LONG, async || {
        up(&cluster).await.iter().any(|host| host.waiting > Some(0))
    })
    .await;
    is_up(&cluster, "auto-1").await;
    fs::write(&flag, "").expect("the flag");
    for holder in holders {
        assert!(within("the cell ends", LONG, holder).await.expect("no panic"));
    }
}

#[tokio::test]
async fn a_command_starts_and_stops_hosts() {
    let mut cluster = Cluster::prepared(&Shape::default());
    let (start, stop) = (cluster.path("start.sh"), cluster.path("stop.sh"));
    let hosts = format!(
        "provider = \"command\", min = 3, max = 4, within = 60, start = \"sh {} {{name}} {{mesh}}\", stop = \"sh {} {{name}}\"",
        start.display(),
        stop.display()
    );
    cluster.configure(&shape(&hosts));
    let dir = cluster.path("").display().to_string();
    let program = program().display().to_string();
    let script = format!(
        "cd {dir}\nsetsid {program} node \"$1\" --mesh \"$2\" --config cluster.toml --state-dir state \
         >> \"$1.log\" 2>&1 < /dev/null &\necho $! > \"$1.pid\"\necho \"$1 starts\"\n"
    );
    fs::write(start, script).expect("a script");
    fs::write(stop, format!("cd {dir}\nkill $(cat \"$1.pid\")\n")).expect("a script");
    cluster.up().await;
    let first = kernel_of_one_gpu(&cluster).await;
    let second = kernel_of_one_gpu(&cluster).await;
    assert!(
        homes(&second).await.contains(&"auto-1".to_owned()),
        "the new host is used"
    );
    second.open(Framing::V1).await.ok("kept = 'here'").await;
    let pid = fs::read_to_string(cluster.path("auto-1.pid")).expect("the script ran");
    let pid: u32 = pid.trim().parse().expect("a process id");
    assert!(is_alive(pid));
    second.settled().await;
    first.delete().await;
    shrinks(&cluster).await;
    holds("its process ends", SHORT, async || !is_alive(pid)).await;
    let value = within("the kernel answers", LONG, async {
        second.notebook(cluster.client()).value("kept").await
    });
    assert_eq!(value.await, "here");
}

/// The `nbos` program of this build.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    // target/PROFILE/deps/THIS
    own.ancestors().nth(2).expect("a target directory").join("nbos")
}

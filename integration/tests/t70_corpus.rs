//! The corpus on real clusters: after every kind of move a notebook finds what a plain kernel would have kept.
//!
//! `NBOS_CORPUS=THEME/NAME` picks cases, `NBOS_CORPUS_ALL=1` takes those too that the short run leaves out, `NBOS_SEED` sets the
//! hash seed. Every change is compared in a scratch process (the audit) unless `NBOS_CORPUS_AUDIT=0`. `just corpus` runs everything.

use std::path::{Path, PathBuf};
use std::process::Command;

use nbos::client::{Execute, StartOptions};
use nbos_integration::{Case, Cluster, Kernel, LONG, Mark, Notebook, Seed, Shape, corpus, holds};

/// The short run takes one case in so many, another one in each way.
const SHORT_RUN: usize = 40;

/// A crash costs several seconds until the killed node is back.
const SHORT_CRASHES: usize = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A handover before each check.
    Standby,
    /// A handover after every cell.
    PingPong,
    /// The executor's node is killed before the checks.
    Crash,
}

/// What went wrong in a case.
struct Failure {
    case: String,
    what: String,
    /// It is known.
    open: bool,
}

impl Failure {
    fn of(case: &Case, what: String) -> Self {
        Self {
            case: case.id(),
            what,
            open: case.is(Mark::Open),
        }
    }
}

#[tokio::test]
async fn standby() {
    run(Way::Standby).await;
}

#[tokio::test]
async fn ping_pong() {
    run(Way::PingPong).await;
}

#[tokio::test]
async fn crash() {
    run(Way::Crash).await;
}

async fn run(way: Way) {
    let Some(python) = python() else {
        eprintln!("skipped: the corpus needs numpy, pandas, scikit-learn and torch; .ci/python makes the environment");
        return;
    };
    let hash_seed = Seed::announced().between(1, 1_000_000);
    let audit = std::env::var_os("NBOS_CORPUS_AUDIT").is_none_or(|value| value != "0");
    let shape = Shape {
        extra: format!("[kernel]\naudit = {audit}\nenv = {{ PYTHONHASHSEED = \"{hash_seed}\" }}\n"),
        interpreter: Some(python.clone()),
        ..Shape::default()
    };
    let cluster = Cluster::shaped(shape).await;
    let mut failures = Vec::new();
    let (mut ran, batches) = (0, batches(way, &cases_for(&python)));
    for (number, cases) in batches.iter().enumerate() {
        let directory = cluster.path(&format!("work-{number}"));
        std::fs::create_dir(&directory).expect("a working directory");
        let options = StartOptions {
            path: Some(directory.display().to_string()),
            ..StartOptions::default()
        };
        let kernel = cluster.kernel_with(&options).await;
        let found = in_one_kernel(&cluster, &kernel, way, cases).await;
        for failure in &found {
            println!("{}: {}", failure.case, failure.what);
        }
        ran += cases.len();
        failures.extend(found);
        kernel.delete().await;
    }
    let (open, failures): (Vec<Failure>, Vec<Failure>) = failures.into_iter().partition(|failure| failure.open);
    println!("{} known not to hold", open.len());
    let names: Vec<&str> = failures.iter().map(|failure| failure.case.as_str()).collect();
    assert!(ran > 0, "no case of the corpus is chosen; look at NBOS_CORPUS");
    println!("{way:?}: {} of {ran} cases hold", ran - names.len() - open.len());
    assert!(
        failures.is_empty(),
        "{} of {ran} cases fail in {way:?}: {names:?}",
        names.len()
    );
}

/// The cases that this environment can run.
fn cases_for(python: &Path) -> Vec<Case> {
    let asked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
    let has_torch = Command::new(python).args(["-c", asked]).status();
    if has_torch.expect("the interpreter runs").success() {
        return corpus();
    }
    let (out, rest): (Vec<Case>, Vec<Case>) = corpus().into_iter().partition(Case::needs_torch);
    println!("skipped: {} cases need torch, which this environment lacks", out.len());
    rest
}

/// Cases that share a kernel.
fn batches(way: Way, cases: &[Case]) -> Vec<Vec<Case>> {
    let everything = std::env::var_os("NBOS_CORPUS_ALL").is_some() || std::env::var_os("NBOS_CORPUS").is_some();
    let step = if way == Way::Crash { SHORT_CRASHES } else { SHORT_RUN };
    let mut batches: Vec<Vec<Case>> = Vec::new();
    let chosen = cases
        .iter()
        .enumerate()
        .filter(|(number, _)| everything || number % step == way as usize)
        .filter(|(_, case)| way != Way::Crash || !case.is(Mark::Local));
    for (_, case) in chosen {
        let shared = |batch: &&mut Vec<Case>| batch[0].theme == case.theme && !batch[0].is(Mark::Alone);
        match batches.iter_mut().find(shared) {
            Some(batch) if !case.is(Mark::Alone) => batch.push(case.clone()),
            _ => batches.push(vec![case.clone()]),
        }
    }
    batches
}

async fn in_one_kernel(cluster: &Cluster, kernel: &Kernel, way: Way, cases: &[Case]) -> Vec<Failure> {
    let mut notebook = kernel.notebook(cluster.client());
    let mut failures = Vec::new();
    let mut sound = Vec::new();
    for case in cases {
        match cells(kernel, &mut notebook, way, case).await {
            Err(what) => failures.push(Failure::of(case, what)),
            Ok(()) if way == Way::Crash => sound.push(case),
            Ok(()) => {
                if way == Way::Standby {
                    kernel.handover(None).await;
                }
                failures.extend(check(&mut notebook, case).await);
            }
        }
    }
    if way == Way::Crash {
        kernel.settled().await;
        let lost = kernel.executor().await;
        let old = cluster.node(&lost).kill_9();
        let mut notebook = kernel.notebook(cluster.client_first_at(cluster.other_than(&[&lost]).name()));
        for case in sound {
            failures.extend(check(&mut notebook, case).await);
        }
        cluster.node(&lost).restarted(old).await;
        cluster.whole().await;
        // A replica that is rebuilt just now must not be the next one's only standby.
        holds("the killed host's replica is back", LONG, async || {
            kernel
                .record()
                .await
                .replicas
                .iter()
                .all(|replica| replica.role != "joining")
        })
        .await;
    }
    failures
}

async fn cells(kernel: &Kernel, notebook: &mut Notebook, way: Way, case: &Case) -> Result<(), String> {
    for cell in &case.cells {
        let outcome = notebook.run(&Execute::new(&cell.code)).await;
        let error = outcome.error();
        let name = error.as_ref().map(|error| error.ename.clone());
        if name != cell.raises {
            let text = error.map_or_else(String::new, |error| error.evalue);
            return Err(format!(
                "a cell ended with {name:?} instead of {:?}: {text}\n{}",
                cell.raises, cell.code
            ));
        }
        // The shim says so when something could not be captured, or when the audit found a difference.
        let stderr = outcome.stderr();
        if stderr.contains("NB0904") || stderr.contains("NB0905") {
            return Err(format!("after `{}`: {stderr}", cell.code));
        }
        if way == Way::PingPong {
            kernel.handover(None).await;
        }
    }
    Ok(())
}

async fn check(notebook: &mut Notebook, case: &Case) -> Option<Failure> {
    let outcome = notebook.run(&Execute::new(&case.check)).await;
    let error = outcome.error()?;
    if case.is(Mark::Pinned) && error.ename == "PinnedError" {
        return None;
    }
    let what = format!("{}: {}\n{}", error.ename, error.evalue, error.traceback.join("\n"));
    Some(Failure::of(case, what))
}

/// An interpreter with the libraries that the corpus uses.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("NBOS_CORPUS_PYTHON").map(PathBuf::from);
    let made = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/python-tests/bin/python");
    given.or(Some(made)).filter(|path| path.exists())
}

//! Suspending and resuming processes through a shared library that is loaded and called as the NVIDIA driver is.

mod fake_driver;

use std::collections::BTreeMap;
use std::time::Duration;

use fake_driver::FakeDriver;
use nbos_gpu::checkpoint::{Checkpointer, Error, ProcessState, Step};
use nbos_gpu::{GpuOptions, Gpus, Options, Release, ReleaseOption};
use nbos_supervision::{Supervisor, Tree};

const PID: u32 = 4_242;
const WITHIN: Duration = Duration::from_secs(5);

fn probe(driver: &FakeDriver) -> Checkpointer {
    Checkpointer::probe(Some(&driver.library())).expect("usable")
}

fn same_devices() -> BTreeMap<String, String> {
    BTreeMap::new()
}

#[tokio::test]
async fn suspends_and_resumes() {
    let driver = FakeDriver::build();
    driver.start(PID);
    let checkpointer = probe(&driver);
    assert_eq!(
        checkpointer.state(PID, WITHIN).await.expect("known"),
        ProcessState::Running
    );

    checkpointer.suspend(PID, WITHIN).await.expect("suspends");
    assert_eq!(
        checkpointer.state(PID, WITHIN).await.expect("known"),
        ProcessState::Checkpointed
    );
    checkpointer.suspend(PID, WITHIN).await.expect("is suspended already");
    checkpointer
        .resume(PID, &same_devices(), WITHIN)
        .await
        .expect("resumes");
    assert_eq!(
        checkpointer.state(PID, WITHIN).await.expect("known"),
        ProcessState::Running
    );

    let calls = driver.calls();
    let names: Vec<&str> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(names, ["init", "lock", "checkpoint", "restore", "unlock"]);
    // The driver read the time limit where the struct has it.
    let limit: u32 = calls[1]
        .split('=')
        .nth(1)
        .and_then(|it| it.parse().ok())
        .expect("a number");
    assert!((1..=5_000).contains(&limit), "{calls:?}");
}

#[tokio::test]
async fn moves_a_process_to_other_devices() {
    let driver = FakeDriver::build();
    driver.start(PID);
    let checkpointer = probe(&driver);
    checkpointer.suspend(PID, WITHIN).await.expect("suspends");
    let uuid = |last: &str| format!("GPU-00010203-0405-0607-0809-0a0b0c0d0e{last}");
    let moves = BTreeMap::from([(uuid("01"), uuid("01")), (uuid("0f"), uuid("a0"))]);
    checkpointer.resume(PID, &moves, WITHIN).await.expect("resumes");
    assert!(
        driver.calls().contains(&format!("restore {PID} pairs=2 0f->a0")),
        "{:?}",
        driver.calls()
    );

    let wrong = BTreeMap::from([("GPU-sim-h1-0".to_owned(), uuid("01"))]);
    let error = checkpointer.resume(PID, &wrong, WITHIN).await.expect_err("no uuid");
    assert_eq!(error.code(), "NB0713");
}

#[tokio::test]
async fn driver_of_cuda_12_moves_nothing_and_an_older_one_is_not_used() {
    let driver = FakeDriver::build();
    driver.start(PID);
    driver.set_version(12_080);
    let checkpointer = probe(&driver);
    checkpointer.suspend(PID, WITHIN).await.expect("suspends");
    let moves = BTreeMap::from([("GPU-a".to_owned(), "GPU-b".to_owned())]);
    let error = checkpointer.resume(PID, &moves, WITHIN).await.expect_err("refused");
    assert_eq!(error.code(), "NB0713");
    assert!(error.to_string().contains("CUDA 12.8"), "{error}");
    checkpointer
        .resume(PID, &same_devices(), WITHIN)
        .await
        .expect("resumes where it was");

    driver.set_version(12_040);
    let error = Checkpointer::probe(Some(&driver.library())).expect_err("too old");
    assert!(
        error.code() == "NB0710" && error.to_string().contains("12.4"),
        "{error}"
    );
}

#[tokio::test]
async fn says_why_it_cannot_be_used() {
    let driver = FakeDriver::build();
    let error = Checkpointer::probe(Some(&driver.dir().join("absent.so"))).expect_err("absent");
    assert_eq!(error.code(), "NB0710");
    let error = Checkpointer::probe(Some(&driver.build_without("cuCheckpointProcessRestore"))).expect_err("incomplete");
    assert!(error.to_string().contains("cuCheckpointProcessRestore"), "{error}");
    driver.fail("init", "100");
    let error = Checkpointer::probe(Some(&driver.library())).expect_err("no device");
    assert!(error.to_string().contains("cuInit returned error 100"), "{error}");
}

#[tokio::test]
async fn a_process_that_cannot_be_suspended_runs_on() {
    // A lock that times out, and a checkpoint that is not supported.
    for (step, code, name) in [
        (Step::Lock, "600", "CUDA_ERROR_NOT_READY"),
        (Step::Checkpoint, "801", "CUDA_ERROR_NOT_SUPPORTED"),
    ] {
        let driver = FakeDriver::build();
        driver.start(PID);
        driver.fail(&step.to_string(), code);
        let checkpointer = probe(&driver);
        let error = checkpointer.suspend(PID, WITHIN).await.expect_err("refused");
        assert!(error.code() == "NB0711" && error.to_string().contains(name), "{error}");
        assert!(
            matches!(error, Error::Failed { step: at, left: Some(ProcessState::Running), .. } if at == step),
            "{error}"
        );
        assert_eq!(driver.state(PID), 0);
        driver.heal();
        checkpointer.suspend(PID, WITHIN).await.expect("suspends");
    }
}

#[tokio::test]
async fn a_process_that_cannot_be_resumed_stays_off_its_devices() {
    for (step, code) in [("restore", "2"), ("unlock", "999")] {
        let driver = FakeDriver::build();
        driver.start(PID);
        let checkpointer = probe(&driver);
        checkpointer.suspend(PID, WITHIN).await.expect("suspends");
        driver.fail(step, code);
        let error = checkpointer
            .resume(PID, &same_devices(), WITHIN)
            .await
            .expect_err("refused");
        assert!(
            matches!(
                error,
                Error::Failed {
                    left: Some(ProcessState::Checkpointed),
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(driver.state(PID), 2);
        driver.heal();
        checkpointer
            .resume(PID, &same_devices(), WITHIN)
            .await
            .expect("resumes");
    }
}

#[tokio::test]
async fn a_lost_process_is_reported_as_such() {
    let driver = FakeDriver::build();
    driver.start(PID);
    driver.fail("checkpoint", "lose");
    let checkpointer = probe(&driver);
    let error = checkpointer.suspend(PID, WITHIN).await.expect_err("lost");
    assert!(
        matches!(
            error,
            Error::Failed {
                left: Some(ProcessState::Failed),
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_process_without_cuda_is_told_apart() {
    let driver = FakeDriver::build();
    driver.start(PID);
    let checkpointer = probe(&driver);
    assert!(checkpointer.uses_cuda(PID, WITHIN).await.expect("answers"));
    assert!(!checkpointer.uses_cuda(PID + 1, WITHIN).await.expect("answers"));
    let error = checkpointer
        .suspend(PID + 1, WITHIN)
        .await
        .expect_err("nothing to suspend");
    assert!(matches!(error, Error::Failed { left: None, .. }), "{error}");
}

#[tokio::test]
async fn a_driver_that_hangs_about_one_process_answers_for_others() {
    let driver = FakeDriver::build();
    driver.start(PID);
    let checkpointer = probe(&driver);
    driver.fail("lock", "hang");
    let error = checkpointer
        .suspend(PID, Duration::from_millis(500))
        .await
        .expect_err("hangs");
    assert_eq!(error.code(), "NB0712");
    // It is not asked again about this one while the first call hangs.
    let error = checkpointer.state(PID, WITHIN).await.expect_err("busy");
    assert_eq!(error.code(), "NB0712");
    driver.start(PID + 1);
    assert_eq!(
        checkpointer.state(PID + 1, WITHIN).await.expect("known"),
        ProcessState::Running
    );

    // The call comes back long after anybody waited for it: what it did is taken back.
    driver.heal();
    let back = async {
        loop {
            match checkpointer.state(PID, WITHIN).await {
                Ok(state) => return state,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let state = tokio::time::timeout(WITHIN, back).await.expect("comes back");
    assert_eq!(state, ProcessState::Running);
}

#[tokio::test]
async fn a_host_chooses_what_its_driver_can_do() {
    let driver = FakeDriver::build();
    let absent = driver.dir().join("absent.so");
    for (release, library, chosen) in [
        (ReleaseOption::Auto, Some(driver.library()), "checkpoint"),
        (ReleaseOption::Auto, Some(absent.clone()), "offload"),
        (ReleaseOption::Auto, None, "offload"),
        (ReleaseOption::Checkpoint, Some(driver.library()), "checkpoint"),
        (ReleaseOption::Checkpoint, Some(absent), "NB0710"),
        (ReleaseOption::Offload, Some(driver.library()), "offload"),
        (ReleaseOption::Respawn, Some(driver.library()), "respawn"),
    ] {
        let options = Options {
            release,
            driver: library,
            ..Options::default()
        };
        let tree = Tree::new("n1");
        let supervisor = Supervisor::start(&tree, None, "host", nbos_supervision::Options::one_for_one())
            .await
            .expect("starts");
        let found = match Gpus::start(GpuOptions::Simulated(1), &options, driver.dir(), &tree, &supervisor).await {
            Ok(gpus) => match gpus.release_by() {
                Release::Checkpoint(_) => "checkpoint",
                Release::Offload => "offload",
                Release::Respawn => "respawn",
            },
            Err(error) => error.code(),
        };
        assert_eq!(found, chosen, "{options:?}");
        supervisor.stop().await.expect("stops");
    }
}

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;

use super::*;
use crate::moves::{Step, Why};
use crate::state::Command;

/// Hosts h1 to h5, of which the first three have a replica each of one kernel that wants a GPU.
struct Scene {
    state: ControlState,
    loads: BTreeMap<NodeName, HostLoad>,
    up: BTreeSet<NodeName>,
}

fn host(number: usize) -> NodeName {
    NodeName::from(format!("h{number}"))
}

impl Scene {
    fn new() -> Self {
        let mut state = ControlState::default();
        for number in 1..=5 {
            state.apply(Command::RegisterHost {
                host: host(number),
                incarnation: 1,
                gpus: 2,
            });
        }
        let spec = KernelSpec {
            gpus: 1,
            vram: 8,
            memory: 16,
            ..KernelSpec::default()
        };
        state.apply(Command::CreateKernel {
            id: KernelId::random(),
            spec,
            hosts: (1..=3).map(host).collect(),
            at_us: 0,
        });
        let load = HostLoad {
            gpus: 2,
            free: 1,
            vram: 8,
            memory: 64,
            memory_available: 32,
            ..HostLoad::default()
        };
        Self {
            state,
            loads: (1..=5).map(|number| (host(number), load.clone())).collect(),
            up: (1..=5).map(host).collect(),
        }
    }

    fn load(&mut self, number: usize) -> &mut HostLoad {
        self.loads.get_mut(&host(number)).expect("a host")
    }

    fn choose(&self, wish: Wish) -> Result<(u64, NodeName), Refusal> {
        let kernel = self.state.kernels.values().next().expect("a kernel");
        let cluster = Cluster {
            state: &self.state,
            loads: &self.loads,
            up: &self.up,
        };
        let need = Need::of(kernel);
        choose(&cluster, kernel, &Wish { need, ..wish })
    }
}

#[test]
fn ties_go_by_replica_and_name() {
    assert_eq!(Scene::new().choose(Wish::default()), Ok((1, host(4))));
}

#[test]
fn the_dead_go_first_then_the_host_with_the_longest_line_and_the_executor_last() {
    let mut scene = Scene::new();
    scene.load(2).waiting = 3;
    scene.load(3).free = 0;
    assert_eq!(scene.choose(Wish::default()).expect("room").0, 2, "the longest line");
    scene.load(2).waiting = 0;
    assert_eq!(scene.choose(Wish::default()).expect("room").0, 3, "the fewest free");
    let busy = Wish {
        executor: Some(host(3)),
        pinned: BTreeSet::from([host(1)]),
        ..Wish::default()
    };
    assert_eq!(
        scene.choose(busy.clone()).expect("room").0,
        2,
        "neither runs cells nor holds anything"
    );
    scene.up.remove(&host(3));
    assert_eq!(scene.choose(busy).expect("room").0, 3, "dead");
}

#[test]
fn the_target_has_most_free_gpus_then_fewest_replicas() {
    let mut scene = Scene::new();
    scene.load(5).free = 2;
    assert_eq!(scene.choose(Wish::default()).expect("room").1, host(5));
    scene.load(4).free = 2;
    scene.state.apply(Command::CreateKernel {
        id: KernelId::random(),
        spec: KernelSpec::default(),
        hosts: vec![host(4)],
        at_us: 0,
    });
    let first = scene
        .state
        .kernels
        .values()
        .find(|kernel| kernel.spec.gpus == 1)
        .expect("the first");
    let cluster = Cluster {
        state: &scene.state,
        loads: &scene.loads,
        up: &scene.up,
    };
    assert_eq!(
        choose(&cluster, first, &Wish::default()).expect("room").1,
        host(5),
        "fewer replicas"
    );
}

#[test]
fn what_is_not_free_now_does_for_a_move_that_can_wait() {
    let mut scene = Scene::new();
    scene.load(4).free = 0;
    scene.load(5).free = 0;
    assert!(scene.choose(Wish::default()).is_ok());
    let now = Wish {
        when: When::Now,
        ..Wish::default()
    };
    let refusal = scene.choose(now.clone()).expect_err("nothing is free");
    assert_eq!(refusal.code, "NB0612");
    assert!(
        refusal.message.contains("h4 has 0 free GPUs of 1"),
        "{}",
        refusal.message
    );
    scene.load(5).free = 1;
    assert_eq!(scene.choose(now).expect("room").1, host(5));
}

#[test]
fn a_host_without_what_is_needed_is_never_chosen() {
    let mut scene = Scene::new();
    scene.state.apply(Command::SetDuty {
        host: host(4),
        duty: Duty::Draining,
    });
    assert_eq!(scene.choose(Wish::default()).expect("room").1, host(5));
    scene.load(5).vram = 7;
    let refusal = scene.choose(Wish::default()).expect_err("too small");
    assert!(
        refusal
            .message
            .contains("h4 is being drained, h5 has GPUs of 7 bytes of 8"),
        "{}",
        refusal.message
    );
    scene.load(5).vram = 8;
    scene.load(5).memory = 15;
    assert!(scene.choose(Wish::default()).is_err(), "too little memory");
    scene.load(5).memory = 16;
    scene.up.remove(&host(5));
    assert!(scene.choose(Wish::default()).is_err(), "it does not answer");
}

#[test]
fn what_is_asked_for_by_name_is_taken_or_refused() {
    let mut scene = Scene::new();
    let wish = |from: Option<usize>, to: Option<usize>| Wish {
        from: from.map(host),
        to: to.map(host),
        ..Wish::default()
    };
    assert_eq!(scene.choose(wish(Some(3), Some(5))), Ok((3, host(5))));
    assert_eq!(
        scene.choose(wish(Some(4), None)).expect_err("none there").code,
        "NB0604"
    );
    assert_eq!(
        scene.choose(wish(None, Some(2))).expect_err("one is there").code,
        "NB0612"
    );
    let unknown = scene.choose(wish(None, Some(9))).expect_err("no such host");
    assert!(unknown.message.contains("h9 is not registered"), "{}", unknown.message);

    let kernel = *scene.state.kernels.keys().next().expect("a kernel");
    scene.state.apply(Command::BeginMove {
        kernel,
        from: 1,
        to: host(4),
        why: Why::Asked,
        at_us: 0,
    });
    assert_eq!(
        scene.choose(wish(None, None)).expect_err("one at a time").code,
        "NB0611"
    );
    for step in [Step::Leave, Step::Finish] {
        scene.state.apply(Command::AdvanceMove {
            kernel,
            replica: 4,
            step,
        });
    }
    assert_eq!(scene.choose(wish(Some(4), None)), Ok((4, host(1))), "there and back");
}

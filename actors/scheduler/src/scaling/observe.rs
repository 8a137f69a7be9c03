//! What a scaling policy is told, by comparing what is with what it was told last. Pure.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use crate::load::HostLoad;
use crate::policy::autoscale::{Event, HostNow, Origin};
use crate::policy::{Host, Ratio, Standing};
use crate::scaled::HostPhase;
use crate::state::{ControlState, Duty};

/// Where a host stands, as the policy was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Coming,
    Up { gpus: u32 },
    Draining,
}

/// One policy's knowledge.
#[derive(Debug, Default)]
pub(super) struct Observer {
    told: BTreeMap<NodeName, Told>,
}

/// What is now.
pub(super) struct Seen<'a> {
    pub(super) state: &'a ControlState,
    pub(super) loads: &'a BTreeMap<NodeName, HostLoad>,
    /// Hosts that have been down for so long that they are not expected back.
    pub(super) lost: &'a dyn Fn(&NodeName) -> bool,
    pub(super) limit: Ratio,
    pub(super) replicas: usize,
    /// Hosts of the configuration. One that has not registered yet is about to.
    pub(super) configured: &'a [NodeName],
}

impl Observer {
    /// Everything that changed, every load, and a tick at the end.
    pub(super) fn observe(&mut self, seen: &Seen<'_>) -> Vec<Event> {
        let now = stages(seen);
        let mut events = Vec::new();
        for host in self.told.keys().filter(|host| !now.contains_key(*host)) {
            events.push(Event::HostDown { host: host.clone() });
        }
        for (host, told) in &now {
            if self.told.get(host) != Some(told) {
                events.extend(news(seen.state, host, *told, self.told.contains_key(host)));
            }
        }
        self.told = now;
        let hosts = Host::all(seen.state, seen.loads, |_| Standing::Up);
        for host in &hosts {
            let load = seen.loads.get(&host.name).cloned().unwrap_or_default();
            events.push(Event::Load {
                host: host.name.clone(),
                now: HostNow {
                    replicas: host.replicas,
                    wanted: host.wanted,
                    claimed: host.claimed,
                    memory: load.memory,
                    leased: load.leased,
                    waiting: load.waiting,
                },
            });
        }
        if let Some(gpus) = nowhere_to_go(seen, &self.told) {
            events.push(Event::CellWaiting { gpus });
        }
        events.push(Event::Tick { limit: seen.limit });
        events
    }
}

fn news(state: &ControlState, host: &NodeName, told: Told, known: bool) -> Vec<Event> {
    let host = || host.clone();
    let is_ordered = state.scaled.hosts.contains_key(&host());
    let up = |gpus| Event::HostUp {
        host: host(),
        gpus,
        origin: if is_ordered {
            Origin::Ordered
        } else {
            Origin::Configured
        },
    };
    // To a policy that has just begun, a host that comes up was ordered by somebody else.
    match told {
        Told::Coming => vec![Event::HostComing { host: host() }],
        Told::Up { gpus } => vec![up(gpus)],
        Told::Draining if known => vec![Event::HostDraining { host: host() }],
        Told::Draining => {
            let gpus = state.hosts.get(&host()).map_or(0, |record| record.gpus);
            vec![up(gpus), Event::HostDraining { host: host() }]
        }
    }
}

fn stages(seen: &Seen<'_>) -> BTreeMap<NodeName, Told> {
    let state = seen.state;
    let mut stages: BTreeMap<NodeName, Told> = BTreeMap::new();
    for host in seen.configured {
        stages.insert(host.clone(), Told::Up { gpus: 0 });
    }
    for (host, record) in &state.scaled.hosts {
        if record.phase != HostPhase::Retiring {
            stages.insert(host.clone(), Told::Coming);
        }
    }
    for (host, record) in &state.hosts {
        // A host that is lost is no room for anybody. Once its replicas are elsewhere it goes, if it was ordered.
        let stage = if (seen.lost)(host) || record.duty == Duty::Draining {
            Told::Draining
        } else {
            Told::Up { gpus: record.gpus }
        };
        stages.insert(host.clone(), stage);
    }
    stages
}

/// GPUs that waiting cells want, when no host could take one of their replicas and run it now. A cell waits on all hosts of its kernel.
fn nowhere_to_go(seen: &Seen<'_>, stages: &BTreeMap<NodeName, Told>) -> Option<u32> {
    let cells: u32 = seen.loads.values().map(|load| load.waiting).sum();
    let gpus: u32 = seen.loads.values().map(|load| load.waiting_gpus).sum();
    let each = gpus.checked_div(cells)?.max(1);
    let takes = |host: &NodeName| matches!(stages.get(host), Some(Told::Up { .. }));
    let room = seen
        .loads
        .iter()
        .any(|(host, load)| takes(host) && load.free.saturating_sub(load.waiting_gpus) >= each);
    let lines = u32::try_from(seen.replicas.max(1)).unwrap_or(u32::MAX);
    (!room && gpus > 0).then(|| gpus.div_ceil(lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaled::ScaleCommand;
    use crate::state::Command;

    const LIMIT: Ratio = Ratio::from_millis(7_000);

    fn observe(observer: &mut Observer, state: &ControlState, loads: &BTreeMap<NodeName, HostLoad>) -> Vec<Event> {
        let events = observer.observe(&Seen {
            state,
            loads,
            lost: &|_| false,
            limit: LIMIT,
            replicas: 3,
            configured: &[],
        });
        let of_hosts = events
            .into_iter()
            .filter(|event| !matches!(event, Event::Load { .. } | Event::Tick { .. }));
        of_hosts.collect()
    }

    fn register(state: &mut ControlState, host: &str) {
        state.apply(Command::RegisterHost {
            host: NodeName::from(host),
            incarnation: 1,
            gpus: 4,
        });
    }

    #[test]
    fn an_ordered_host_comes_goes_up_drains_and_ends() {
        let (mut state, mut observer, none) = (ControlState::default(), Observer::default(), BTreeMap::new());
        register(&mut state, "h1");
        let up = |host: &str, origin| Event::HostUp {
            host: NodeName::from(host),
            gpus: 4,
            origin,
        };
        assert_eq!(observe(&mut observer, &state, &none), [up("h1", Origin::Configured)]);
        assert_eq!(observe(&mut observer, &state, &none), [], "nothing is told twice");
        let first = "127.0.0.1:7700".parse().unwrap();
        state.apply(Command::Scale(ScaleCommand::Order {
            count: 1,
            max: 2,
            first,
        }));
        let host = NodeName::from("auto-1");
        assert_eq!(
            observe(&mut observer, &state, &none),
            [Event::HostComing { host: host.clone() }]
        );
        register(&mut state, "auto-1");
        assert_eq!(observe(&mut observer, &state, &none), [up("auto-1", Origin::Ordered)]);
        let duty = Duty::Draining;
        state.apply(Command::SetDuty {
            host: host.clone(),
            duty,
        });
        let draining = Event::HostDraining { host: host.clone() };
        let told = observe(&mut observer, &state, &none);
        assert_eq!(told, std::slice::from_ref(&draining));
        let mut successor = Observer::default();
        let told = observe(&mut successor, &state, &none);
        assert_eq!(
            told,
            [up("auto-1", Origin::Ordered), draining, up("h1", Origin::Configured)]
        );
        state.apply(Command::Scale(ScaleCommand::Retire { host: host.clone() }));
        assert_eq!(observe(&mut observer, &state, &none), [Event::HostDown { host }]);
    }

    #[test]
    fn a_host_that_is_lost_is_no_room_until_it_is_back() {
        let (mut state, loads, mut observer) = (ControlState::default(), BTreeMap::new(), Observer::default());
        for host in ["h1", "h2"] {
            register(&mut state, host);
        }
        let mut look = |lost: &dyn Fn(&NodeName) -> bool| {
            let events = observer.observe(&Seen {
                state: &state,
                loads: &loads,
                lost,
                limit: LIMIT,
                replicas: 3,
                configured: &[],
            });
            let news = |event: &Event| matches!(event, Event::HostUp { .. } | Event::HostDraining { .. });
            events.into_iter().filter(news).collect::<Vec<_>>()
        };
        let host = NodeName::from("h2");
        assert_eq!(look(&|_| false).len(), 2);
        assert_eq!(
            look(&|host| host.as_str() == "h2"),
            [Event::HostDraining { host: host.clone() }]
        );
        let back = Event::HostUp {
            host,
            gpus: 4,
            origin: Origin::Configured,
        };
        assert_eq!(look(&|_| false), [back]);
    }

    #[test]
    fn hosts_of_the_configuration_count_before_they_have_registered() {
        let (state, none, configured) = (ControlState::default(), BTreeMap::new(), [NodeName::from("h1")]);
        let events = Observer::default().observe(&Seen {
            state: &state,
            loads: &none,
            lost: &|_| false,
            limit: LIMIT,
            replicas: 3,
            configured: &configured,
        });
        let up = Event::HostUp {
            host: NodeName::from("h1"),
            gpus: 0,
            origin: Origin::Configured,
        };
        assert_eq!(events, [up, Event::Tick { limit: LIMIT }]);
    }

    #[test]
    fn a_cell_waits_for_a_host_when_no_host_has_room_for_it() {
        let (mut state, mut observer) = (ControlState::default(), Observer::default());
        for host in ["h1", "h2", "h3", "h4"] {
            register(&mut state, host);
        }
        observe(&mut observer, &state, &BTreeMap::new());
        let load = |free, waiting, waiting_gpus| HostLoad {
            gpus: 4,
            free,
            leased: 4 - free,
            waiting,
            waiting_gpus,
            ..HostLoad::default()
        };
        let loads = |last| -> BTreeMap<NodeName, HostLoad> {
            let full = ["h1", "h2", "h3"].map(|host| (NodeName::from(host), load(1, 2, 4)));
            full.into_iter().chain([(NodeName::from("h4"), last)]).collect()
        };
        let waits = observe(&mut observer, &state, &loads(load(1, 0, 0)));
        assert_eq!(
            waits,
            [Event::CellWaiting { gpus: 4 }],
            "two cells of two GPUs, each in three lines"
        );
        assert_eq!(
            observe(&mut observer, &state, &loads(load(2, 0, 0))),
            [],
            "one can move to h4"
        );
        state.apply(Command::SetDuty {
            host: NodeName::from("h4"),
            duty: Duty::Draining,
        });
        let told = observe(&mut observer, &state, &loads(load(4, 0, 0)));
        assert!(told.contains(&Event::CellWaiting { gpus: 4 }), "{told:?}");
    }
}

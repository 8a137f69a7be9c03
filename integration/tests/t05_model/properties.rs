//! What must be true in every state, by the numbers of the architecture's invariants; and what must be possible.

use std::collections::{BTreeMap, BTreeSet};

use nbos_kernel::model::{Entry, Verdict};
use stateright::{Model, Property};

use crate::cluster::{Action, Cluster};
use crate::world::{Host, Kernel, Logged, REPLICAS, Replica, World};

pub(crate) const MOVED_AND_ENDED: &str = "an election moves a cell, which ends well";
pub(crate) const REPLICA_MOVED: &str = "a replica moves";
pub(crate) const DONE_AND_FREE: &str = "everything is done and free";

pub(crate) fn properties() -> Vec<Property<Cluster>> {
    vec![
        Property::always("1: distinct hosts", |_, world: &World| {
            world.kernels.iter().all(|kernel| kernel.control.on_distinct_hosts())
        }),
        Property::always("2: one start a position, one result a cell", |_, world: &World| {
            world.kernels.iter().all(starts_and_ends_once)
        }),
        Property::always("2: no code runs twice", |_, world: &World| {
            world
                .kernels
                .iter()
                .all(|kernel| kernel.began.iter().all(|times| *times <= 1))
        }),
        Property::always("3: one executor runs code", |_, world: &World| {
            let running = |kernel: &Kernel| kernel.replicas.iter().flatten().filter(|it| it.runs()).count();
            world.kernels.iter().all(|kernel| running(kernel) <= 1)
        }),
        Property::always("4: no device is leased twice", |_, world: &World| {
            world.hosts.iter().all(|host| {
                let held: Vec<u32> = host.ledger.leases().flat_map(|lease| lease.devices).collect();
                held.iter().collect::<BTreeSet<_>>().len() == held.len() && held.len() <= 1
            })
        }),
        Property::always("4: code runs on a lease of its own", |_, world: &World| {
            let holds = |host: usize, number: usize, kernel: &Kernel| {
                let replica = kernel.replicas[host].as_ref();
                replica.filter(|replica| replica.runs()).is_none_or(|replica| {
                    let mut leases = world.hosts[host].ledger.leases();
                    leases.any(|lease| Some(lease.id) == replica.lease && lease.holder == format!("kernel-{number}"))
                })
            };
            let mut kernels = world.kernels.iter().enumerate();
            kernels.all(|(number, kernel)| (0..world.hosts.len()).all(|host| holds(host, number, kernel)))
        }),
        Property::always("4: nobody keeps a lease for nothing", |_, world: &World| {
            let replicas = world.kernels.iter().flat_map(|kernel| kernel.replicas.iter().flatten());
            let uses = |replica: &Replica| {
                replica.cell.is_some() || replica.handover.is_some() || replica.offer.is_some_and(|offer| offer.held)
            };
            replicas
                .into_iter()
                .all(|replica| replica.lease.is_none() || uses(replica))
        }),
        Property::always("4: no lease without a holder", |_, world: &World| {
            (0..world.hosts.len()).all(|host| {
                let it = &world.hosts[host];
                let replicas = world.kernels.iter().filter_map(|kernel| kernel.replicas[host].as_ref());
                let held = replicas.filter_map(|replica| replica.lease);
                let coming = it.mail.iter().filter_map(|answer| answer.lease);
                let known: BTreeSet<_> = held.chain(coming).chain(it.foreign).collect();
                it.ledger.leases().all(|lease| known.contains(&lease.id))
            })
        }),
        Property::always("5: what is committed is on a majority's disks", |_, world: &World| {
            world.kernels.iter().all(|kernel| {
                let stored = |host: &&usize| {
                    let replica = kernel.replicas[**host].as_ref();
                    replica.is_some_and(|replica| replica.stored == kernel.log.len())
                };
                kernel.voters.iter().filter(stored).count() * 2 > kernel.voters.len()
            })
        }),
        Property::always("6: an old epoch changes nothing", |_, world: &World| {
            let logs = world.kernels.iter().flat_map(|kernel| &kernel.log);
            logs.into_iter()
                .all(|logged| epoch_of(logged.entry) >= logged.before.epoch() || logged.before == logged.after)
        }),
        Property::always("nobody waits for ever", |model: &Cluster, world: &World| {
            let mut actions = Vec::new();
            model.actions(world, &mut actions);
            !actions.iter().all(Action::is_chance) || world.kernels.iter().all(Kernel::all_done)
        }),
        Property::sometimes(MOVED_AND_ENDED, |_, world: &World| {
            world.kernels.iter().any(|kernel| {
                let moved = |logged: &Logged| {
                    let by_another = matches!(logged.entry, Entry::CellStarted { by, .. } if by.replica > 1);
                    by_another && matches!(logged.verdict, Verdict::Started { .. })
                };
                let ended = |logged: &Logged| matches!(logged.verdict, Verdict::Finished { .. });
                kernel.log.iter().any(moved) && kernel.log.iter().any(ended)
            })
        }),
        Property::sometimes(REPLICA_MOVED, |_, world: &World| {
            world
                .kernels
                .iter()
                .any(|kernel| kernel.moving.is_none() && kernel.control.has(REPLICAS))
        }),
        Property::sometimes(DONE_AND_FREE, |_, world: &World| {
            let free = |host: &Host| host.up && host.mail.is_empty() && host.ledger.leases().next().is_none();
            world.hosts.iter().all(free) && world.kernels.iter().all(Kernel::all_done)
        }),
    ]
}

fn starts_and_ends_once(kernel: &Kernel) -> bool {
    let (mut started, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for logged in &kernel.log {
        match logged.verdict {
            Verdict::Started { seq } => *started.entry(seq).or_insert(0) += 1,
            Verdict::Finished { seq } | Verdict::Aborted { seq } => *ended.entry(seq).or_insert(0) += 1,
            Verdict::AlreadyDone | Verdict::Executor | Verdict::Stale => {}
        }
    }
    started.values().chain(ended.values()).all(|times| *times == 1) && ended.keys().all(|seq| started.contains_key(seq))
}

fn epoch_of(entry: Entry) -> u64 {
    match entry {
        Entry::CellStarted { epoch, .. }
        | Entry::CellFinished { epoch, .. }
        | Entry::CellAborted { epoch, .. }
        | Entry::ExecutorChanged { epoch, .. } => epoch,
    }
}

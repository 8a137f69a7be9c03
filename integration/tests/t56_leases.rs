//! No lease too many at any moment, no device used by two cells, no lease left behind: under load and while processes are killed.

use nbos_integration::{Cluster, LeaseLoad, Seed, Shape};

/// Two of each on three hosts: half the kernels must wait or move.
const GPUS_PER_HOST: u32 = 2;

/// Kills of the short version; `just leases` makes two hundred, with more kernels.
const KILLS: usize = 8;

#[tokio::test]
async fn leases_are_right_at_every_moment() {
    let asked = std::env::var("NBOS_RUNS").ok().and_then(|text| text.parse().ok());
    let load = LeaseLoad {
        kernels: if asked.is_some() { 12 } else { 6 },
        kills: asked.unwrap_or(KILLS),
        gpus_per_host: GPUS_PER_HOST as usize,
    };
    let mut seed = Seed::announced();
    let cluster = Cluster::shaped(Shape {
        gpus: GPUS_PER_HOST,
        ..Shape::default()
    })
    .await;
    let figures = load.run(&cluster, &mut seed).await;
    let watched = &figures.watched;
    println!("{figures:?}");
    println!(
        "looked every {:?} (median), {:?} (99 of 100), {:?} (longest)",
        watched.gaps.median(),
        watched.gaps.percentile(0.99),
        watched.gaps.longest()
    );
    // Else it would have proved nothing.
    assert!(
        watched.most_leased >= 4,
        "never more than {} devices lent",
        watched.most_leased
    );
    assert!(
        watched.looks > watched.missed,
        "{} looks, {} missed",
        watched.looks,
        watched.missed
    );
}

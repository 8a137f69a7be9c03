//! What is pushed and fetched at the same time travels once.

use super::*;

const MIB: usize = 1 << 20;

/// Until all of it is there.
async fn fetch(host: &Host, ids: &[BlobId], from: &[NodeName]) {
    let until = Instant::now() + SOON;
    // Nobody has what is not ingested yet.
    while let Err(error) = host.node.fetch(ids, from, SOON, |_| ()).await {
        assert!(matches!(error, Error::NotFound(_)) && Instant::now() < until, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_pushed_and_fetched_at_the_same_time_travels_once() {
    let net: Arc<Net> = Arc::default();
    let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
    let (mut total, mut all) = (0, Vec::new());
    for round in 0..4 {
        let chunks: Vec<Bytes> = (0..12).map(|number| noise(round * 100 + number, MIB)).collect();
        let ids: Vec<BlobId> = chunks.iter().map(|chunk| BlobId::of(chunk)).collect();
        all.extend_from_slice(&ids);
        total += 2 * (chunks.len() * MIB) as u64;
        let peers = names(&[&b, &c]);
        let push = async {
            for chunk in &chunks {
                ingest(&a, chunk, &peers).await;
            }
            a.node.settle(&ids, &peers, 1, SOON).await
        };
        // Two calls of one host, and one of the other, while all of it is on its way.
        let (of_b, of_c) = (names(&[&a, &c]), names(&[&a, &b]));
        let (settled, ..) = tokio::join!(
            push,
            fetch(&b, &ids, &of_b),
            fetch(&c, &ids, &of_c),
            fetch(&c, &ids, &of_c)
        );
        settled.expect("settles");
    }
    let moved = || {
        let moved = [&a, &b, &c].map(|host| host.node.stats());
        moved.map(|stats| [stats.pushed_bytes, stats.fetched_bytes])
    };
    // What the last acknowledgement was for is counted a moment later.
    until("all is counted", || moved().as_flattened().iter().sum::<u64>() >= total).await;
    // And whatever was still to be pushed is asked for once more, and not sent.
    a.node
        .settle(&all, &names(&[&b, &c]), 2, SOON)
        .await
        .expect("settles on all");
    let [of_a, of_b, of_c] = moved();
    assert_eq!(
        [of_a, of_b, of_c].as_flattened().iter().sum::<u64>(),
        total,
        "pushed and fetched: {of_a:?}, {of_b:?}, {of_c:?}"
    );
}

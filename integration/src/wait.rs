//! Waiting for a condition, with a deadline and a name.

use std::time::{Duration, Instant};

/// For what takes milliseconds on a quiet machine: a loaded two-core one may be a hundred times slower.
pub const SHORT: Duration = Duration::from_secs(20);

/// For what starts processes.
pub const LONG: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(25);

/// What `look` gives, as soon as it gives something.
///
/// # Panics
/// When it has not within `limit`.
pub async fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// [`eventually`] for a condition without a value.
pub async fn holds(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> bool) {
    eventually(what, limit, async || look().await.then_some(())).await;
}

/// The result of `work`.
///
/// # Panics
/// When it has not ended within `limit`.
pub async fn within<T>(what: &str, limit: Duration, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => panic!("not ended within {limit:?}: {what}"),
    }
}

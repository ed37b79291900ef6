use std::time::Duration;

use referee_storage::StorageError;
use tokio::time::sleep;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Writes what is done to the database, however long that is away or full: what has been worked out is never thrown away because
/// it could not be written. Goes on by itself when whoever asked for it does not wait any longer.
///
/// # Errors
/// What no later try would change.
pub(crate) async fn until_written<T, Writing>(
    what: &'static str,
    write: impl Fn() -> Writing + Send + 'static,
) -> Result<T, StorageError>
where
    T: Send + 'static,
    Writing: Future<Output = Result<T, StorageError>> + Send + 'static,
{
    let writing = tokio::spawn(async move {
        let mut wait = FIRST_WAIT;
        loop {
            match write().await {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "{what} cannot be written; the next try is in {} ms", wait.as_millis());
                    sleep(wait).await;
                    wait = (2 * wait).min(LONGEST_WAIT);
                }
                done => return done,
            }
        }
    });
    match writing.await {
        Ok(done) => done,
        Err(_) => Err(StorageError::Corrupt("what was to be written broke")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::{Instant, timeout};

    use super::*;

    /// Fails so many times, as a database that is away does.
    fn away(
        times: u32,
    ) -> (
        Arc<AtomicU32>,
        impl Fn() -> std::future::Ready<Result<u32, StorageError>>,
    ) {
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let write = move || {
            let tries = counted.fetch_add(1, Ordering::SeqCst) + 1;
            std::future::ready(if tries > times {
                Ok(tries)
            } else {
                Err(StorageError::Corrupt("the database is away"))
            })
        };
        (tries, write)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_later_and_later_until_it_is_written() {
        let begun = Instant::now();
        let (_, write) = away(7);
        assert_eq!(until_written("a result", write).await.expect("written"), 8);
        // 0.5 + 1 + 2 + 4 + 8 + 10 + 10
        assert_eq!(begun.elapsed().as_millis(), 35_500);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_written_though_nobody_waits_for_it() {
        let (tries, write) = away(5);
        let waited = timeout(Duration::from_secs(1), until_written("a result", write)).await;
        assert!(waited.is_err());
        sleep(Duration::from_mins(1)).await;
        assert_eq!(tries.load(Ordering::SeqCst), 6);
    }
}

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::WorkerError;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Runs a worker until `shutdown`, and starts it again where its database goes away: after a second, then after longer and longer,
/// half a minute at most. `run` is given the token that ends one run.
///
/// # Errors
/// Why it could not be started the first time, or why it may not go on: with a schema that became newer, say.
pub async fn keep_working<Running>(
    shutdown: CancellationToken,
    run: impl Fn(CancellationToken) -> Running,
) -> Result<(), WorkerError>
where
    Running: Future<Output = Result<(), WorkerError>>,
{
    let mut wait = FIRST_WAIT;
    let mut has_run = false;
    loop {
        let started = Instant::now();
        let stop = shutdown.child_token();
        // Whatever the worker started beside itself ends with it.
        let ended = {
            let _guard = stop.clone().drop_guard();
            run(stop).await
        };
        let Err(error) = ended else { return Ok(()) };
        has_run |= matches!(error, WorkerError::Run(_));
        let is_final = matches!(&error, WorkerError::NotReady(error) if error.is_final());
        if !has_run || is_final {
            return Err(error);
        }
        if started.elapsed() > LONGEST_WAIT {
            wait = FIRST_WAIT;
        }
        tracing::warn!(%error, "the worker starts again in {} s", wait.as_secs());
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = sleep(wait) => {}
        }
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use referee_storage::NotReady;

    use super::*;

    fn lost() -> WorkerError {
        WorkerError::Run("connection reset".into())
    }

    fn unreachable() -> WorkerError {
        WorkerError::Start("connection refused".into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_whose_database_went_away_starts_again_with_longer_and_longer_waits() {
        let (begun, starts) = (Instant::now(), RefCell::new(Vec::new()));
        let ended = keep_working(CancellationToken::new(), |_| async {
            let mut starts = starts.borrow_mut();
            starts.push(begun.elapsed().as_secs());
            match starts.len() {
                1 => Err(lost()),
                2..8 => Err(unreachable()),
                _ => Ok(()),
            }
        })
        .await;
        ended.expect("it works again");
        assert_eq!(starts.into_inner(), [0, 1, 3, 7, 15, 31, 61, 91]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_run_the_waits_begin_anew() {
        let (begun, starts) = (Instant::now(), RefCell::new(Vec::new()));
        let ended = keep_working(CancellationToken::new(), |_| async {
            starts.borrow_mut().push(begun.elapsed().as_secs());
            let count = starts.borrow().len();
            if count == 3 {
                sleep(Duration::from_secs(100)).await;
            }
            if count < 5 { Err(lost()) } else { Ok(()) }
        })
        .await;
        ended.expect("it works again");
        assert_eq!(starts.into_inner(), [0, 1, 3, 104, 106]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_never_started_says_why() {
        let ended = keep_working(CancellationToken::new(), |_| async { Err(unreachable()) }).await;
        assert!(matches!(ended, Err(WorkerError::Start(_))), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_whose_database_became_newer_ends() {
        let starts = RefCell::new(0);
        let ended = keep_working(CancellationToken::new(), |_| async {
            *starts.borrow_mut() += 1;
            if *starts.borrow() == 1 {
                return Err(lost());
            }
            Err(NotReady::Newer { found: 9, known: 8 }.into())
        })
        .await;
        assert!(matches!(ended, Err(WorkerError::NotReady(_))), "{ended:?}");
        assert_eq!(starts.into_inner(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_failed_run_left_is_stopped_and_a_shutdown_ends_the_wait() {
        let (shutdown, begun) = (CancellationToken::new(), Instant::now());
        let ended = keep_working(shutdown.clone(), |stop| {
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                stop.cancelled().await;
                shutdown.cancel();
            });
            async { Err(lost()) }
        })
        .await;
        ended.expect("stopped");
        assert_eq!(begun.elapsed().as_secs(), 0);
    }
}

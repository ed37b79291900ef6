//! How slowly a sender may send: whoever sends less gives the upload slot to somebody else.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The time over which bytes are counted. Only waiting for the sender counts, not the store's own time.
const WINDOW: Duration = Duration::from_mins(1);
/// In bytes, which the slowest mobile network manages.
pub const LEAST_PER_SECOND: u64 = 4 << 10;
/// Of every minute.
const LEAST: usize = 60 * (4 << 10);

/// Counts what arrives while it is waited for.
#[derive(Debug, Default)]
pub struct Pace {
    waited: Duration,
    bytes: usize,
}

/// For a whole minute less than the least arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl Pace {
    /// What the sender sends next; [`Self::arrived`] says how much it was.
    ///
    /// # Errors
    /// A minute of waiting brought too little.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, TooSlow> {
        let mut next = pin!(next);
        loop {
            let start = Instant::now();
            let arrived = timeout(WINDOW.saturating_sub(self.waited), next.as_mut()).await;
            self.waited += start.elapsed();
            if let Ok(arrived) = arrived {
                return Ok(arrived);
            }
            if self.bytes < LEAST {
                return Err(TooSlow);
            }
            *self = Self::default();
        }
    }

    pub fn arrived(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Sends `bytes` every `pause` until ten minutes are over.
    async fn ten_minutes(bytes: usize, pause: Duration) -> Result<(), TooSlow> {
        let mut pace = Pace::default();
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(10) {
            pace.wait(sleep(pause)).await?;
            pace.arrived(bytes);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_fast_enough_and_a_trickle_is_not() {
        let second = Duration::from_secs(1);
        assert_eq!(ten_minutes(5 << 10, second).await, Ok(()));
        assert_eq!(ten_minutes(1 << 20, 50 * second).await, Ok(()));
        assert_eq!(ten_minutes(2, 25 * second).await, Err(TooSlow));
        assert_eq!(ten_minutes(3 << 10, second).await, Err(TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn the_stores_own_time_is_not_the_senders() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.wait(sleep(Duration::from_millis(1)))
                .await
                .expect("fast");
            sleep(Duration::from_mins(2)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_even_what_began_fast() {
        let mut pace = Pace::default();
        pace.arrived(1 << 30);
        let start = Instant::now();
        assert_eq!(pace.wait(std::future::pending::<()>()).await, Err(TooSlow));
        assert!(start.elapsed() <= 2 * WINDOW);
    }
}

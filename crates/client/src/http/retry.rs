use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ClientError;

/// For how long a busy or lost server is tried again, from the first failure on: a transfer may take longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits out what passes: a server that is busy (503) and says when to come back, and a connection that broke.
///
/// A server that cannot be reached at the first attempt is not waited for, one that was there and is gone (a restart) is.
/// Only for requests that may be repeated.
#[derive(Debug)]
pub(super) struct Patience {
    /// None until something fails.
    until: Option<Instant>,
    next_pause: Duration,
    was_reached: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            until: None,
            next_pause: Duration::from_millis(250),
            was_reached: false,
        }
    }

    /// The server answered as it should: later losses are measured anew.
    pub(super) fn reached(&mut self) {
        *self = Self {
            was_reached: true,
            ..Self::new()
        };
    }

    /// Returns after a pause if `error` may pass, else gives it back.
    pub(super) async fn wait_out(&mut self, error: ClientError) -> Result<(), ClientError> {
        let pause = match &error {
            ClientError::Refused {
                problem,
                retry_after,
            } if matches!(problem.status, 502..=504) => {
                self.was_reached = true;
                retry_after.unwrap_or(self.next_pause)
            }
            ClientError::Broken { .. } => {
                self.was_reached = true;
                self.next_pause
            }
            ClientError::Unreachable { .. } if self.was_reached => self.next_pause,
            _ => return Err(error),
        };
        self.next_pause = (self.next_pause * 2).min(Duration::from_secs(5));
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + PATIENCE);
        if pause > until.saturating_duration_since(now) {
            return Err(error);
        }
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> ClientError {
        ClientError::Unreachable {
            server: "http://127.0.0.1:1".into(),
            cause: "connection refused".into(),
        }
    }

    fn broken() -> ClientError {
        ClientError::Broken {
            server: "http://127.0.0.1:1".into(),
            cause: "connection reset".into(),
        }
    }

    #[tokio::test]
    async fn a_server_that_never_was_there_is_not_waited_for() {
        assert!(Patience::new().wait_out(unreachable()).await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_restarts_is_waited_for() {
        let mut patience = Patience::new();
        assert!(patience.wait_out(broken()).await.is_ok());
        assert!(patience.wait_out(unreachable()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_that_breaks_after_an_hour_is_tried_again() {
        let mut patience = Patience::new();
        sleep(Duration::from_hours(1)).await;
        assert!(patience.wait_out(broken()).await.is_ok());
        sleep(PATIENCE).await;
        assert!(patience.wait_out(broken()).await.is_err());
    }
}

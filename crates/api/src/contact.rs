use std::time::Duration;

use referee_storage::{ApiDb, Probe};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Between two questions to the database.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether the database is there, as a connection of its own knows it. Clones share it.
#[derive(Clone)]
pub struct Contact(watch::Receiver<Option<Instant>>);

impl Contact {
    /// Asks until `closing` is cancelled.
    pub fn watching(db: &ApiDb, closing: CancellationToken) -> Self {
        let (lost_since, contact) = watch::channel(None::<Instant>);
        let mut probe = Probe::of_api(db);
        tokio::spawn(async move {
            let watching = async {
                loop {
                    let asked = Instant::now();
                    let answer = probe.ask().await;
                    lost_since.send_if_modified(|since| match (&answer, *since) {
                        (Ok(()), Some(lost)) => {
                            tracing::warn!(seconds = lost.elapsed().as_secs(), "the database is back");
                            *since = None;
                            true
                        }
                        (Err(error), None) if error.is_unavailable() => {
                            tracing::error!(%error, "the database does not answer; boards and pages are shown from memory");
                            *since = Some(asked);
                            true
                        }
                        _ => false,
                    });
                    sleep(PAUSE).await;
                }
            };
            closing.run_until_cancelled(watching).await;
        });
        Self(contact)
    }

    /// Since when the database has not answered; none while it does.
    pub fn lost_since(&self) -> Option<Instant> {
        *self.0.borrow()
    }

    /// Waits until the database does not answer.
    pub async fn lost(&self) {
        let mut contact = self.0.clone();
        if contact.wait_for(Option::is_some).await.is_err() {
            // The server is being stopped, and nobody asks any more.
            std::future::pending::<()>().await;
        }
    }
}

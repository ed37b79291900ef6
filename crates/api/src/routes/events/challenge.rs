use std::time::Duration;

use axum::response::sse::Event;
use chrono::{DateTime, Utc};
use referee_client::documents::ChallengeEvent;
use referee_storage::leaderboard::Standing;
use tokio::time::{sleep, sleep_until, timeout};
use uuid::Uuid;

use super::{AFTER_ERROR, Pace, event};
use crate::app::App;
use crate::hub::Watched;
use crate::routes::challenges::state_document;

/// Longer waits for the next date are taken in steps, as timers do not follow a clock that is set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The events of a challenge for one listener.
pub struct ChallengeEvents {
    app: App,
    slug: String,
    changes: Watched,
    pace: Pace,
    sent: Option<ChallengeEvent>,
}

impl ChallengeEvents {
    pub fn new(app: App, slug: String, challenge: Uuid) -> Self {
        let changes = app.hub.watch(challenge);
        Self {
            app,
            slug,
            changes,
            pace: Pace::default(),
            sent: None,
        }
    }

    pub async fn next(&mut self) -> Result<Event, axum::Error> {
        loop {
            sleep_until(self.pace.next()).await;
            let Ok(standing) = self.app.boards.standing(&self.slug).await else {
                sleep(AFTER_ERROR).await;
                continue;
            };
            let now = Utc::now();
            let current = document(&standing, now);
            if self.sent.as_ref() != Some(&current) {
                self.pace.just_sent();
                let next = event(current.revision, &current);
                self.sent = Some(current);
                return next;
            }
            self.wait(&standing, now).await;
        }
    }

    /// Until the challenge changes, or its state does because the time has come.
    async fn wait(&mut self, standing: &Standing, now: DateTime<Utc>) {
        let next_date = [standing.opens, standing.closes]
            .into_iter()
            .flatten()
            .filter(|date| *date > now)
            .min();
        let until = next_date
            .and_then(|date| (date - now).to_std().ok())
            .unwrap_or(LONGEST_WAIT);
        // Looking again is due either way.
        let _ = timeout(until.min(LONGEST_WAIT), self.changes.changed()).await;
    }
}

fn document(standing: &Standing, now: DateTime<Utc>) -> ChallengeEvent {
    ChallengeEvent {
        challenge: standing.slug.clone(),
        state: state_document(standing.state_at(now)),
        label_version: standing.label_version.map(i32::unsigned_abs),
        private_released: standing.private_released_at.is_some(),
        revision: standing.revision,
        as_of: standing.changed_at,
    }
}

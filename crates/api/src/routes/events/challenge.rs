use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use chrono::{DateTime, Utc};
use referee_client::documents::ChallengeEvent;
use referee_storage::challenges::State as ChallengeState;
use referee_storage::leaderboard::Standing;
use tokio::time::{sleep, sleep_until, timeout};
use uuid::Uuid;

use super::{AFTER_ERROR, Pace, STILL_THERE, event};
use crate::app::App;
use crate::auth::{Listener, MaybeSignedIn};
use crate::hub::Watched;
use crate::problem::Problem;
use crate::routes::challenges::state_document;
use crate::routes::leaderboard::require_organizer;

/// Longer waits for the next date are taken in steps, as timers do not follow a clock that is set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The events of a challenge for one listener.
pub struct ChallengeEvents {
    app: App,
    slug: String,
    listener: Listener,
    changes: Watched,
    pace: Pace,
    sent: Option<ChallengeEvent>,
}

impl ChallengeEvents {
    pub fn new(app: App, slug: String, challenge: Uuid, listener: Listener) -> Self {
        let changes = app.hub.watch(challenge);
        Self {
            app,
            slug,
            listener,
            changes,
            pace: Pace::default(),
            sent: None,
        }
    }

    /// The next event; none where the listener may not listen any more.
    pub async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        loop {
            sleep_until(self.pace.next()).await;
            let standing = match self.standing().await {
                Ok(standing) => standing,
                Err(problem) if problem.status().is_server_error() => {
                    sleep(AFTER_ERROR).await;
                    continue;
                }
                Err(_) => return None,
            };
            let now = Utc::now();
            let current = document(&standing, now);
            if self.sent.as_ref() != Some(&current) {
                self.pace.just_sent();
                let next = event(current.revision, &current);
                self.sent = Some(current);
                return Some(next);
            }
            self.wait(&standing, now).await;
        }
    }

    async fn standing(&self) -> Result<Arc<Standing>, Problem> {
        let standing = self.app.boards.standing(&self.slug).await?;
        self.listener.is_still_there(&self.app).await?;
        may_listen(&self.app, &standing, &self.listener).await?;
        Ok(standing)
    }

    /// Until the challenge changes, or its state does because the time has come.
    async fn wait(&mut self, standing: &Standing, now: DateTime<Utc>) {
        let next_date = [standing.opens, standing.closes]
            .into_iter()
            .flatten()
            .filter(|date| *date > now)
            .min();
        let longest = if self.listener.user().is_some() {
            STILL_THERE
        } else {
            LONGEST_WAIT
        };
        let until = next_date
            .and_then(|date| (date - now).to_std().ok())
            .unwrap_or(longest);
        // Looking again is due either way.
        let _ = timeout(until.min(longest), self.changes.changed()).await;
    }
}

/// # Errors
/// 404 for a draft, unless one of its organizers asks.
pub async fn may_listen(
    app: &App,
    standing: &Standing,
    listener: &Listener,
) -> Result<(), Problem> {
    if standing.state_at(Utc::now()) != ChallengeState::Draft {
        return Ok(());
    }
    require_organizer(app, standing, MaybeSignedIn(listener.user().cloned())).await
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

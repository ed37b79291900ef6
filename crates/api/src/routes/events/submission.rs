use std::time::Duration;

use axum::response::sse::Event;
use chrono::{TimeDelta, Utc};
use referee_client::documents::{Status, Submission};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::{AFTER_ERROR, Pace, STILL_THERE, event};
use crate::app::App;
use crate::auth::Listener;
use crate::hub::Watched;
use crate::problem::Problem;
use crate::routes::submissions::{document, look};

/// A waiting submission's place changes without a change of its own.
const PLACE_EVERY: Duration = Duration::from_secs(5);
/// Between two readings of a submission that changes all the time; what a final state is late by, at worst.
const BETWEEN_READINGS: Duration = Duration::from_millis(20);
/// After a score was written, the change of its board may still be on its way here.
const MAY_BE_UNANNOUNCED: TimeDelta = TimeDelta::seconds(10);

/// The events of a submission for one listener.
pub struct SubmissionEvents {
    app: App,
    id: Uuid,
    challenge: Uuid,
    listener: Listener,
    changes: Watched,
    pace: Pace,
    read_at: Instant,
    /// What is to be sent next.
    pending: Option<Submission>,
    sent: Option<Submission>,
}

impl SubmissionEvents {
    /// `changes` were watched before `first` was read.
    pub fn new(
        app: App,
        challenge: Uuid,
        listener: Listener,
        changes: Watched,
        first: Submission,
    ) -> Self {
        Self {
            app,
            id: first.id,
            challenge,
            listener,
            changes,
            pace: Pace::default(),
            read_at: Instant::now(),
            pending: Some(first),
            sent: None,
        }
    }

    /// The next event; none after a final state was sent, or where the listener may not see the submission any more.
    pub async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        if self
            .sent
            .as_ref()
            .is_some_and(|sent| sent.status.is_final())
        {
            return None;
        }
        loop {
            if let Some(due) = self.due().await {
                self.pace.just_sent();
                if due
                    .scored_at
                    .is_some_and(|at| Utc::now() - at < MAY_BE_UNANNOUNCED)
                {
                    // Whoever hears of it may ask for the board at once, before the database has announced that it changed.
                    self.app.hub.count_change(self.challenge);
                }
                let next = event(due.revision, &due);
                self.sent = Some(due);
                return Some(next);
            }
            self.pending = Some(self.read().await?);
        }
    }

    /// Waits until what is pending may be sent, or until there is something newer to read.
    async fn due(&mut self) -> Option<Submission> {
        let Some(pending) = self
            .pending
            .take()
            .filter(|pending| self.sent.as_ref() != Some(pending))
        else {
            let waits = self
                .sent
                .as_ref()
                .is_some_and(|sent| sent.status == Status::Queued);
            tokio::select! {
                () = self.changes.changed() => {}
                () = sleep(PLACE_EVERY), if waits => {}
                () = sleep(STILL_THERE) => {}
            }
            return None;
        };
        if pending.status.is_final() || self.pace.next() <= Instant::now() {
            return Some(pending);
        }
        match timeout_at(self.pace.next(), self.changes.changed()).await {
            Ok(()) => None,
            Err(_) => Some(pending),
        }
    }

    /// The submission as it is now, as soon as it can be read; none where it cannot be seen any more. What is not read now
    /// is announced no second time.
    async fn read(&mut self) -> Option<Submission> {
        loop {
            sleep_until(self.read_at + BETWEEN_READINGS).await;
            self.read_at = Instant::now();
            match self.current().await {
                Ok(submission) => return Some(submission),
                Err(problem) if problem.status().is_server_error() => sleep(AFTER_ERROR).await,
                Err(_) => return None,
            }
        }
    }

    async fn current(&self) -> Result<Submission, Problem> {
        self.listener.is_still_there(&self.app).await?;
        let (submission, access) = look(&self.app, self.id, self.listener.user()).await?;
        Ok(access.view(document(&self.app, submission).await?))
    }
}

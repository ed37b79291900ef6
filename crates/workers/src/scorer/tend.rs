use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::StreamExt;
use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use referee_scoring::split;
use referee_storage::StorageError;
use referee_storage::scorer::{self, Claim, LabelVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::judge::NotJudged;
use super::{Scorer, leaks};

/// Submissions read and compared at the same time during a rescore.
const RESCORED_AT_ONCE: usize = 4;
const RESCORED_PER_QUERY: i64 = 500;

/// Brings a challenge up to date: seals new labels, rescores, releases private scores after the close, ranks the board.
/// Each step looks at the rows for whether it is due, so the job may come too often, or be repeated after a crash.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Tend {
    challenge: Uuid,
}

impl TaskHandler for Tend {
    const IDENTIFIER: &'static str = "tend";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(scorer) = context.get_ext::<Scorer>().cloned() else {
            return Err("the scorer was started without its tools".to_owned());
        };
        scorer.tend(self.challenge).await.map_err(|error| {
            tracing::warn!(challenge = %self.challenge, %error, "a challenge will be looked after again");
            error.to_string()
        })
    }
}

impl Scorer {
    async fn tend(&self, challenge: Uuid) -> Result<(), StorageError> {
        if scorer::retire_unfit(&self.db, challenge).await? {
            tracing::info!(%challenge, "the draft's test set has another size than its labels");
        }
        let versions = scorer::versions_in_work(&self.db, challenge).await?;
        for version in versions.iter().filter(|version| !version.is_sealed) {
            self.seal(challenge, version).await?;
        }
        self.check_for_leaks(challenge).await?;
        let newest = scorer::versions_in_work(&self.db, challenge).await?.pop();
        // Files that cannot be read hold up neither the private scores nor the ranks of the others.
        let rescored = match newest.filter(|version| version.is_sealed) {
            Some(newest) => self.rescore(challenge, newest.version).await,
            None => Ok(()),
        };
        if let Err(error) = self.score_left_out(challenge).await {
            tracing::warn!(%challenge, %error, "submissions that were left out stay so until the next try");
        }
        if scorer::release_private_scores(&self.db, challenge).await? {
            tracing::info!(%challenge, "released the private scores");
        }
        self.rank(challenge).await?;
        rescored
    }

    async fn seal(&self, challenge: Uuid, version: &LabelVersion) -> Result<(), StorageError> {
        if let Some(original) = version.copy_of {
            scorer::copy_labels(&self.db, challenge, original, version.version).await?;
        }
        let Some(facts) = scorer::facts(&self.db, challenge).await? else {
            return Err(StorageError::Corrupt("labels without a test set"));
        };
        let Some(labels) = scorer::labels(&self.db, challenge, version.version).await? else {
            let problem = "the labels did not arrive whole; upload the file again";
            return scorer::refuse(&self.db, challenge, version.version, problem).await;
        };
        if labels.len() != facts.images.len() {
            let problem = format!(
                "{} labels for {} test images; upload one row per image",
                labels.len(),
                facts.images.len()
            );
            return scorer::refuse(&self.db, challenge, version.version, &problem).await;
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|_| StorageError::Corrupt("the system gave no random bytes"))?;
        let images = u32::try_from(labels.len())
            .map_err(|_| StorageError::Corrupt("more images than an ordinal can number"))?;
        // The first split holds for every later version.
        let held = scorer::split(&self.db, challenge).await?;
        let public = held
            .filter(|held| held.len() == labels.len())
            .unwrap_or_else(|| split::choose(&key, facts.public_fraction, images));
        if let Some(problem) = split::fault_of_labels(&labels, &public, facts.public_fraction) {
            return scorer::refuse(&self.db, challenge, version.version, &problem).await;
        }
        scorer::add_split(&self.db, challenge, &key, &public).await?;
        scorer::seal(&self.db, challenge, version.version).await
    }

    async fn check_for_leaks(&self, challenge: Uuid) -> Result<(), StorageError> {
        let Some(due) = scorer::due_check(&self.db, challenge).await? else {
            return Ok(());
        };
        let Some(facts) = scorer::facts(&self.db, challenge).await? else {
            return Ok(());
        };
        let newest = scorer::versions_in_work(&self.db, challenge)
            .await?
            .pop()
            .map(|version| version.version);
        let Some(version) = newest.or(scorer::current_version(&self.db, challenge).await?) else {
            return Ok(());
        };
        let Some(labels) = scorer::labels(&self.db, challenge, version).await? else {
            return Ok(());
        };
        if facts.revision != due.revision || facts.images.len() != labels.len() {
            return Ok(()); // Something changed just now, and whoever changed it has this done again.
        }
        let finding = leaks::finding(&self.objects, due.images, facts, labels).await?;
        scorer::mark_leak(&self.db, challenge, due.revision, finding.as_deref()).await
    }

    /// Scores every scored submission under `version`, then shows it. Submissions that are scored meanwhile are taken in.
    async fn rescore(&self, challenge: Uuid, version: i32) -> Result<(), StorageError> {
        let mut left_out = Vec::new();
        loop {
            self.score_unscored(challenge, version, &mut left_out)
                .await?;
            if scorer::flip(&self.db, challenge, version, &left_out).await? {
                break;
            }
        }
        for submission in &left_out {
            tracing::error!(%submission, version, "a scored submission cannot be scored again; it is off the board until it can");
        }
        tracing::info!(%challenge, version, "the board shows a new version of the labels");
        Ok(())
    }

    /// Files that were left out when the labels changed may be back.
    async fn score_left_out(&self, challenge: Uuid) -> Result<(), StorageError> {
        match scorer::current_version(&self.db, challenge).await? {
            Some(version) => {
                self.score_unscored(challenge, version, &mut Vec::new())
                    .await
            }
            None => Ok(()),
        }
    }

    /// Adds to `left_out` the submissions that cannot be scored: one file that is lost must not hold up everyone else's.
    async fn score_unscored(
        &self,
        challenge: Uuid,
        version: i32,
        left_out: &mut Vec<Uuid>,
    ) -> Result<(), StorageError> {
        loop {
            let claims =
                scorer::unscored(&self.db, challenge, version, left_out, RESCORED_PER_QUERY)
                    .await?;
            if claims.is_empty() {
                return Ok(());
            }
            self.rescore_some(version, claims, left_out).await?;
        }
    }

    /// In order, because a ladder depends on what came before; reading and comparing run ahead.
    ///
    /// # Errors
    /// Where not one of the files can be read and some are not just gone: then the store is at fault, and the queue tries
    /// again later.
    async fn rescore_some(
        &self,
        version: i32,
        claims: Vec<Claim>,
        left_out: &mut Vec<Uuid>,
    ) -> Result<(), StorageError> {
        let mut judged = futures::stream::iter(claims)
            .map(|claim| async move {
                let judged = self
                    .judge
                    .judge(&claim, version, Arc::new(AtomicU64::new(0)))
                    .await;
                (claim, judged)
            })
            .buffered(RESCORED_AT_ONCE);
        let (mut was_readable, mut was_store_at_fault) = (false, false);
        while let Some((claim, judged)) = judged.next().await {
            let cause = match judged {
                Ok((judged, _)) => {
                    was_readable = true;
                    scorer::add_outcome(&self.db, &claim, &judged).await?;
                    continue;
                }
                Err(NotJudged::Storage(error)) => return Err(error),
                Err(NotJudged::Unreadable(error)) => {
                    was_store_at_fault |= error.kind() != ErrorKind::NotFound;
                    error.to_string()
                }
                // In a draft whose test set has another size by now, or after a change of the checks.
                Err(NotJudged::Rejected(problem)) => {
                    was_readable = true;
                    problem.to_string()
                }
            };
            tracing::debug!(submission = %claim.submission, cause, "a scored submission was not scored again");
            left_out.push(claim.submission);
        }
        if was_store_at_fault && !was_readable {
            return Err(StorageError::Corrupt(
                "no scored submission can be read back from the object store",
            ));
        }
        Ok(())
    }
}

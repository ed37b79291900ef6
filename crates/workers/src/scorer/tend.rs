use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::StreamExt;
use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use referee_scoring::commitment::commitment;
use referee_scoring::split;
use referee_storage::scorer::{self, Claim, LabelRefusal, LabelVersion};
use referee_storage::{StorageError, commitments};
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
            // The queue keeps it where another role reads.
            "the challenge could not be looked after; the scorer's log says why".to_owned()
        })
    }
}

impl Scorer {
    async fn tend(&self, challenge: Uuid) -> Result<(), StorageError> {
        if scorer::retire_unfit(&self.db, challenge).await? {
            tracing::info!(%challenge, "the draft's test set or classes are others than its labels were read with");
        }
        let versions = scorer::versions_in_work(&self.db, challenge).await?;
        for version in versions.iter().filter(|version| !version.is_sealed) {
            self.seal(challenge, version).await?;
        }
        self.check_for_leaks(challenge).await?;
        if let Err(error) = self.commit(challenge).await {
            tracing::warn!(%challenge, %error, "labels were not committed to; the next try follows");
        }
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
        let refuse = |refusal| scorer::refuse(&self.db, challenge, version.version, refusal);
        if !scorer::labels_are_fresh(&self.db, challenge, version.version).await? {
            return refuse(LabelRefusal::Stale).await;
        }
        let Some(labels) = scorer::labels(&self.db, challenge, version.version).await? else {
            return refuse(LabelRefusal::NotWhole).await;
        };
        if labels.len() != facts.images.len() {
            return refuse(LabelRefusal::OtherCount).await;
        }
        if labels.scored() == 0 {
            return refuse(LabelRefusal::NothingLabelled).await;
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
        if split::leaves_a_side_unlabelled(&labels, &public, facts.public_fraction) {
            return refuse(LabelRefusal::SideWithoutLabels).await;
        }
        scorer::add_split(&self.db, challenge, &key, &public).await?;
        scorer::seal(&self.db, challenge, version.version).await
    }

    /// Commits to labels of a published challenge that nobody has committed to.
    async fn commit(&self, challenge: Uuid) -> Result<(), StorageError> {
        for version in commitments::uncommitted(&self.db, challenge).await? {
            let key = self.judge.answer_key(challenge, version).await?;
            let rules = commitments::rules(&self.db, challenge).await?;
            let mut salt = [0; 32];
            getrandom::fill(&mut salt)
                .map_err(|_| StorageError::Corrupt("the system gave no random bytes"))?;
            let committed_to = rules.clone();
            let committing = tokio::task::spawn_blocking(move || {
                commitment(
                    &salt,
                    &committed_to,
                    &key.facts.classes,
                    &key.labels,
                    &key.public,
                )
            });
            let sha256 = committing
                .await
                .map_err(|_| StorageError::Corrupt("a commitment did not come to its end"))?;
            commitments::commit(&self.db, challenge, version, &salt, &rules, &sha256).await?;
        }
        Ok(())
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
        let mut left_out = LeftOut::default();
        loop {
            self.score_unscored(challenge, version, &mut left_out)
                .await?;
            left_out.confirm(self).await?;
            if scorer::flip(&self.db, challenge, version, &left_out.submissions).await? {
                break;
            }
        }
        for submission in &left_out.submissions {
            tracing::error!(%submission, version, "a scored submission cannot be scored again; it is off the board until it can");
        }
        tracing::info!(%challenge, version, "the board shows a new version of the labels");
        Ok(())
    }

    /// Files that were left out when the labels changed may be back.
    async fn score_left_out(&self, challenge: Uuid) -> Result<(), StorageError> {
        match scorer::current_version(&self.db, challenge).await? {
            Some(version) => {
                self.score_unscored(challenge, version, &mut LeftOut::default())
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
        left_out: &mut LeftOut,
    ) -> Result<(), StorageError> {
        loop {
            let claims = scorer::unscored(
                &self.db,
                challenge,
                version,
                &left_out.submissions,
                RESCORED_PER_QUERY,
            )
            .await?;
            if claims.is_empty() {
                return Ok(());
            }
            self.rescore_some(version, claims, left_out).await?;
        }
    }

    /// In order, because a ladder depends on what came before; reading and comparing run ahead.
    async fn rescore_some(
        &self,
        version: i32,
        claims: Vec<Claim>,
        left_out: &mut LeftOut,
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
        while let Some((claim, judged)) = judged.next().await {
            let cause = match judged {
                Ok((judged, _)) => {
                    scorer::add_outcome(&self.db, &claim, &judged).await?;
                    left_out.readable = Some(claim.object_key);
                    continue;
                }
                Err(NotJudged::Storage(error)) => return Err(error),
                Err(NotJudged::Unreadable(error)) => {
                    left_out.unreadable.push(claim.object_key);
                    error.to_string()
                }
                Err(NotJudged::Broke(cause)) => cause,
                // In a draft whose test set has another size by now, or after a change of the checks.
                Err(NotJudged::Rejected(problem)) => {
                    left_out.readable = Some(claim.object_key);
                    problem.to_string()
                }
            };
            tracing::debug!(submission = %claim.submission, cause, "a scored submission was not scored again");
            left_out.submissions.push(claim.submission);
        }
        Ok(())
    }
}

/// Submissions that could not be scored under new labels.
#[derive(Default)]
struct LeftOut {
    submissions: Vec<Uuid>,
    /// Of those, the objects that could not be read.
    unreadable: Vec<String>,
    /// The last object that could be.
    readable: Option<String>,
}

impl LeftOut {
    /// Whether it is the files that are lost: a store that is away, was away for a moment or is being filled again is our trouble,
    /// over which no version is shown.
    ///
    /// # Errors
    /// The store is at fault, or may be; the queue tries again later.
    async fn confirm(&self, scorer: &Scorer) -> Result<(), StorageError> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let at_fault = StorageError::Corrupt(
            "scored submissions cannot be read back from the object store; the labels change once they can",
        );
        let Some(readable) = &self.readable else {
            return Err(at_fault);
        };
        for lost in &self.unreadable {
            if scorer.judge.can_read(lost).await {
                return Err(at_fault);
            }
        }
        if scorer.judge.can_read(readable).await {
            Ok(())
        } else {
            Err(at_fault)
        }
    }
}

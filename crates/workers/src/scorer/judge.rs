use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use referee_scoring::format_error::FormatError;
use referee_scoring::labels::Labels;
use referee_scoring::outcome::{Bitmap, judge};
use referee_scoring::predictions::{self, Expected, Notice};
use referee_storage::objects::{ObjectError, ObjectStore};
use referee_storage::scorer::{self, ChallengeFacts, Claim, Judged};
use referee_storage::{ScorerDb, StorageError};
use uuid::Uuid;

use crate::digest::Checked;

/// Sealed labels kept in memory, in images: about 40 MB.
const CACHED_IMAGES: usize = 5_000_000;

/// Reads submissions and compares them with sealed labels, which it keeps at hand.
#[derive(Clone)]
pub(super) struct Judge {
    db: ScorerDb,
    objects: ObjectStore,
    sealed: Arc<Mutex<AnswerKeys>>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Judge(***)")
    }
}

/// By challenge and label version.
type AnswerKeys = HashMap<(Uuid, i32), Arc<AnswerKey>>;

/// All that scoring under one version of a challenge's labels needs. Never printed.
pub(super) struct AnswerKey {
    pub facts: ChallengeFacts,
    /// As classes of the list that records are over.
    pub labels: Labels,
    pub public: Bitmap,
    scored: Bitmap,
}

impl AnswerKey {
    /// The images of a split that count.
    pub fn mask(&self, split: Split) -> Bitmap {
        match split {
            Split::Public => self.scored.and(&self.public),
            Split::Private => self.scored.and(&self.public.not()),
        }
    }

    fn has_private(&self) -> bool {
        self.public.count() < self.public.len() as u64
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Public,
    Private,
}

/// Why a submission was not judged.
pub(super) enum NotJudged {
    /// The file is wrong: the submitter's to mend.
    Rejected(FormatError),
    /// The file could not be read back, or not as it was stored; `NotFound` where it is gone.
    Unreadable(io::Error),
    /// The program broke over it.
    Broke(String),
    Storage(StorageError),
}

impl From<StorageError> for NotJudged {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Judge {
    pub fn new(db: ScorerDb, objects: ObjectStore) -> Self {
        Self {
            db,
            objects,
            sealed: Arc::default(),
        }
    }

    /// The labels of a version that the scorer has sealed.
    pub async fn answer_key(
        &self,
        challenge: Uuid,
        version: i32,
    ) -> Result<Arc<AnswerKey>, StorageError> {
        let revision = scorer::facts_revision(&self.db, challenge).await?;
        if let Some(key) = self.cache().get(&(challenge, version))
            && key.facts.revision == revision
        {
            return Ok(key.clone());
        }
        let missing = StorageError::Corrupt("a sealed version lacks its labels or its split");
        let (Some(facts), Some(labels), Some(public)) = (
            scorer::facts(&self.db, challenge).await?,
            scorer::labels(&self.db, challenge, version).await?,
            scorer::split(&self.db, challenge).await?,
        ) else {
            return Err(missing);
        };
        if !scorer::labels_are_fresh(&self.db, challenge, version).await? {
            return Err(StorageError::Corrupt(
                "a version of the labels was read with other classes or image names than the challenge has now",
            ));
        }
        if labels.len() != facts.images.len() || public.len() != labels.len() {
            return Err(StorageError::Corrupt(
                "a version of the labels is for another test set than the challenge has now",
            ));
        }
        let key = Arc::new(AnswerKey {
            scored: labels.scored_mask(),
            labels: match &facts.wider {
                Some(wider) => labels.within(wider),
                None => labels,
            },
            facts,
            public,
        });
        let mut cache = self.cache();
        let cached: usize = cache.values().map(|key| key.labels.len()).sum();
        if cached + key.labels.len() > CACHED_IMAGES {
            cache.clear();
        }
        cache.insert((challenge, version), key.clone());
        Ok(key)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, AnswerKeys> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store has this object and lets it be read.
    pub async fn can_read(&self, key: &str) -> bool {
        let Ok(mut file) = self.objects.reader(key).await else {
            return false;
        };
        let reading = tokio::task::spawn_blocking(move || file.read(&mut [0; 1]).is_ok());
        reading.await.unwrap_or(false)
    }

    /// Reads the submission's file and compares it with the labels of `version`. `read` counts the bytes as they go by.
    pub async fn judge(
        &self,
        claim: &Claim,
        version: i32,
        read: Arc<AtomicU64>,
    ) -> Result<(Judged, Vec<Notice>), NotJudged> {
        let key = self.answer_key(claim.challenge, version).await?;
        let file = self
            .objects
            .reader(&claim.object_key)
            .await
            .map_err(|error| {
                let kind = match error {
                    ObjectError::NotFound { .. } => io::ErrorKind::NotFound,
                    _ => io::ErrorKind::Other,
                };
                NotJudged::Unreadable(io::Error::new(kind, error))
            })?;
        let (boxes, over, sha256) = (claim.boxes, claim.over(), claim.sha256.clone());
        let judging = tokio::task::spawn_blocking(move || {
            let expected = Expected {
                classes: &key.facts.classes,
                images: &key.facts.images,
                boxes,
                devkit: false,
            };
            let mut file = Checked::new(Counted { inner: file, read }, sha256);
            let predictions = match &key.facts.wider {
                Some(wider) => predictions::read_within(&mut file, &expected, wider, over),
                None => predictions::read(&mut file, &expected),
            };
            // What was altered is not the submitter's fault, whatever reading it has found.
            file.finish().map_err(NotJudged::Unreadable)?;
            let predictions = predictions.map_err(classify)?;
            let outcome = judge(&predictions.record, &key.labels);
            let judged = Judged {
                label_version: version,
                public: outcome.tally(&key.scored, Some(&key.public)),
                private: key
                    .has_private()
                    .then(|| outcome.tally(&key.scored, Some(&key.public.not()))),
                public_mask: key.mask(Split::Public),
                outcome,
            };
            Ok((judged, predictions.notices))
        });
        match judging.await {
            Ok(judged) => judged,
            Err(panic) => Err(NotJudged::Broke(panic.to_string())),
        }
    }
}

fn classify(problem: FormatError) -> NotJudged {
    if problem.is_unreadable() {
        NotJudged::Unreadable(io::Error::other(problem.detail))
    } else {
        NotJudged::Rejected(problem)
    }
}

/// A reader that tells how far it has come.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

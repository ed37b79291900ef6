use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use referee_networks::DeviceChoice;
use referee_scoring::model_form::{ClassOrder, ClassOrderError, ModelForm};
use referee_scoring::{Class, Notice, Over};
use referee_storage::inference::{self, Challenge, Ending, FailureReason, Findings, Part, Shard};
use referee_storage::{StorageError, Wait};
use tokio::time::{MissedTickBehavior, interval_at};

use super::Inference;
use super::files::ModelFiles;
use super::model::{Ready, Start};
use super::process::{End, ModelProcess};
use super::record;
use super::sandbox::Limits;
use super::test_set::{TestSet, Uploaded};
use super::validation;
use crate::persist::until_written;

/// How often a worker says that it lives, while it waits for its process.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// The least time between two reports of progress.
const REPORT: Duration = Duration::from_millis(500);
/// How often a model's process may be killed from outside, without a range that is finished in between, before that is held to be
/// the model's doing.
const KILLS: u32 = 5;

/// Why a worker stops before the record is handed over.
pub(super) enum Stop {
    /// The attempt is over, the submission was withdrawn, or this worker is wanted elsewhere.
    Over,
    /// The model's process was killed from outside.
    Killed,
    Ended(Ending),
    /// Ours: waited out.
    Trouble {
        wait: Wait,
        cause: String,
    },
    /// The program, over this submission.
    Broke(String),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupt(_) => Self::trouble(Wait::Server, &error),
            error if error.may_pass() => Self::trouble(Wait::Database, &error),
            error => Self::Broke(error.to_string()),
        }
    }
}

impl Stop {
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self::Ended(Ending::Rejected(detail.into()))
    }

    pub fn trouble(wait: Wait, cause: &impl std::fmt::Display) -> Self {
        Self::Trouble {
            wait,
            cause: cause.to_string(),
        }
    }
}

/// What a worker says of itself while it waits.
#[derive(Clone, Copy)]
pub(super) enum Sign<'a> {
    /// What is being done, and how many images of how many.
    Stage(&'a str, usize, usize),
    /// The same while a count rises.
    Counted(&'a str, &'a AtomicUsize, usize),
    /// So many images of a range, which stays its own.
    Range(&'a Shard, usize),
}

const LOADING: Sign<'_> = Sign::Stage("loading", 0, 0);

/// One worker's part in running one model.
pub(super) struct Run<'a> {
    pub worker: &'a Inference,
    pub part: &'a Part,
    /// Its job is this worker's.
    owns: bool,
    is_planned: bool,
    /// Whether other recipes have been tried: once, whatever became of the process.
    pub is_examined: bool,
    kills: u32,
    /// When progress was last told.
    reported: Instant,
    measured: Measured,
}

/// Images that the process has run, and how long that took it.
#[derive(Default)]
struct Measured {
    images: u32,
    time: Duration,
}

impl Measured {
    fn add(&mut self, images: usize, time: Duration) {
        self.images = self
            .images
            .saturating_add(u32::try_from(images).unwrap_or(u32::MAX));
        self.time += time;
    }

    /// Images per second.
    fn pace(&self) -> Option<f64> {
        let seconds = self.time.as_secs_f64();
        (seconds > 0.0).then(|| f64::from(self.images) / seconds)
    }
}

/// What a model's columns are classes of.
#[derive(Clone, Copy)]
pub(super) struct Columns<'c> {
    pub challenge: &'c Challenge,
    pub over: Over,
}

impl Columns<'_> {
    /// The class of each column, by its index in the list that the record is over.
    pub fn of(self, order: &ClassOrder) -> Result<Vec<Class>, ClassOrderError> {
        let Challenge { classes, wider, .. } = self.challenge;
        match (wider, self.over) {
            (None, _) => order.columns(classes),
            (Some(wider), Over::Wider) => order.columns(wider.list()),
            (Some(wider), Over::Challenge) => {
                let own = order.columns(classes)?.into_iter();
                Ok(own
                    .map(|class| wider.places()[usize::from(class.0)])
                    .collect())
            }
        }
    }
}

/// Which of the challenge's lists the model's columns are over: as its form says, else as their number does.
pub(super) fn over(ready: &Ready, challenge: &Challenge) -> Over {
    let is_own = ready.form.classes == Some(Over::Challenge)
        || ready.classes == challenge.classes.len() && challenge.listed().len() != ready.classes;
    if is_own { Over::Challenge } else { Over::Wider }
}

/// What is said where the number of columns alone shows that they are the challenge's own classes.
fn own_classes(ready: &Ready, challenge: &Challenge) -> Option<Notice> {
    let is_told = challenge.wider.is_some()
        && ready.form.classes.is_none()
        && over(ready, challenge) == Over::Challenge;
    is_told.then(|| Notice {
        code: "classes".into(),
        detail: format!(
            "the network has {} columns, as many as the challenge has classes: read as these, in their order (classes=challenge)",
            ready.classes
        ),
    })
}

/// A model that is ready to run.
pub(super) struct Loaded {
    pub process: ModelProcess,
    pub ready: Ready,
    /// The class of each column.
    pub columns: Vec<Class>,
}

impl<'a> Run<'a> {
    pub fn new(worker: &'a Inference, part: &'a Part, owns: bool) -> Self {
        Self {
            worker,
            part,
            owns,
            is_planned: part.is_planned,
            is_examined: false,
            kills: 0,
            reported: Instant::now(),
            measured: Measured::default(),
        }
    }

    /// Through to the record, with a new process whenever one is killed from outside.
    pub async fn see_through(&mut self) -> Result<(), Stop> {
        let challenge = inference::challenge(&self.worker.db, self.part.challenge).await?;
        // What was only to be handed over needs no model again.
        if self.is_planned
            && let Some(records) = inference::records(&self.worker.db, self.part).await?
        {
            return self.hand_over(&records.concat(), &challenge).await;
        }
        let data = inference::data(&self.worker.db, self.part.submission).await?;
        let fetching = ModelFiles::fetch(self.worker, self.part, data);
        let files = self
            .alive(LOADING, fetching)
            .await?
            .map_err(|error| Stop::trouble(error.waits_for(), &error))?;
        let Some(test) = &challenge.test else {
            let cause = "the challenge has no test images any more";
            return Err(Stop::trouble(Wait::Images, &cause));
        };
        let opening = Uploaded::open_in(self.worker, test, challenge.image_order);
        let uploaded = self.alive(LOADING, opening).await??;
        if uploaded.len() != challenge.images {
            let cause = "the test images are not as many as the challenge has";
            return Err(Stop::trouble(Wait::Images, &cause));
        }
        loop {
            match self.with_one_process(&challenge, &files, &uploaded).await {
                Err(Stop::Killed) if self.kills + 1 < KILLS => self.kills += 1,
                Err(Stop::Killed) => return Err(killed_too_often()),
                done => return done,
            }
        }
    }

    async fn with_one_process(
        &mut self,
        challenge: &Challenge,
        files: &ModelFiles,
        uploaded: &Uploaded,
    ) -> Result<(), Stop> {
        let loaded = self.load(challenge, files, uploaded.shape()).await?;
        let notices = if self.is_planned {
            Vec::new()
        } else {
            let notices = validation::notices(self, &loaded, challenge).await?;
            let enlarging = uploaded.enlarged(&loaded.ready.preprocess);
            let enlarged = self.alive(LOADING, enlarging).await??;
            let own = own_classes(&loaded.ready, challenge);
            own.into_iter().chain(enlarged).chain(notices).collect()
        };
        let images = self.prepare(uploaded, &loaded).await?;
        if !self.is_planned {
            self.plan(&loaded.ready, notices, images.len()).await?;
        }
        self.shards(&loaded, &images, challenge).await
    }

    /// The images in the model's size, with a count of those that are done.
    pub async fn prepare(&self, uploaded: &Uploaded, loaded: &Loaded) -> Result<TestSet, Stop> {
        let done = Arc::new(AtomicUsize::new(0));
        let recipe = &loaded.ready.preprocess;
        let preparing = uploaded.prepare(self.worker, recipe, Arc::clone(&done));
        let sign = Sign::Counted("preparing images", &done, uploaded.len());
        self.alive(sign, preparing).await?
    }

    /// Starts a process and has the model loaded, tried and described in it.
    async fn load(
        &self,
        challenge: &Challenge,
        files: &ModelFiles,
        image: Option<[usize; 3]>,
    ) -> Result<Loaded, Stop> {
        let config = &self.worker.config;
        let broken = |error: serde_json::Error| Stop::Broke(error.to_string());
        let form: ModelForm = serde_json::from_value(self.part.form.clone()).map_err(broken)?;
        let start = Start {
            model: files.model.path().to_owned(),
            filename: self.part.filename.clone(),
            data: (files.data.iter())
                .map(|(name, file)| (name.clone(), file.path().to_owned()))
                .collect(),
            form,
            classes: challenge.listed().len(),
            own_classes: (challenge.wider.as_ref()).map(|_| challenge.classes.len()),
            image,
            device: config.device.to_string(),
            limits: Limits {
                memory: config.memory_mb << 20,
                mapped: files.bytes,
                threads: config.threads,
                cpu_seconds: config.seconds.saturating_mul(config.threads as u64),
                gpu: config.device != DeviceChoice::Cpu,
            },
        };
        let process = ModelProcess::start(&config.program, config.threads, config.seconds)
            .map_err(|error| Stop::trouble(Wait::Server, &error))?;
        let ready = self
            .alive(LOADING, process.load(&start))
            .await?
            .map_err(|end| self.stop(end))?;
        let order = ready.form.class_order.clone().unwrap_or_default();
        let list = Columns {
            challenge,
            over: over(&ready, challenge),
        };
        let columns = list
            .of(&order)
            .map_err(|error| Stop::rejected(format!("`class_order`: {error}")))?;
        if let (Some(wider), Over::Wider) = (&challenge.wider, list.over) {
            let own = (0_u32..).zip(&columns);
            let own = own.filter(|(_, class)| wider.is_own(**class));
            let own: Vec<u32> = own.map(|(column, _)| column).collect();
            let keeping = process.keep(&own);
            self.alive(LOADING, keeping)
                .await?
                .map_err(|end| self.stop(end))?;
        }
        Ok(Loaded {
            process,
            ready,
            columns,
        })
    }

    async fn plan(&mut self, ready: &Ready, more: Vec<Notice>, images: usize) -> Result<(), Stop> {
        let config = &self.worker.config;
        let notices: Vec<Notice> = ready.notices.iter().cloned().chain(more).collect();
        let findings = Findings {
            model: ready.document(config),
            notices: serde_json::to_value(notices).map_err(StorageError::from)?,
            preprocess: ready.preprocess.clone(),
            layers: ready.drawing(),
        };
        let per_shard = ready.images_in(config.shard);
        let (db, part) = (&self.worker.db, self.part);
        if !inference::plan(db, part, &findings, images, per_shard).await? {
            return Err(Stop::Over);
        }
        self.is_planned = true;
        Ok(())
    }

    /// Takes range after range; whoever finds all of them done hands the record over.
    async fn shards(
        &mut self,
        loaded: &Loaded,
        images: &TestSet,
        challenge: &Challenge,
    ) -> Result<(), Stop> {
        let db = &self.worker.db;
        loop {
            if self.is_wanted_elsewhere() {
                return Err(Stop::Over);
            }
            if let Some(shard) = inference::take_shard(db, self.part).await? {
                if shard.is_hopeless() {
                    return Err(if self.kills > 0 {
                        killed_too_often()
                    } else {
                        Stop::Ended(Ending::Failed(FailureReason::WorkerLost))
                    });
                }
                let done = self.shard(loaded, images, challenge, &shard).await;
                match done {
                    Err(Stop::Killed) => inference::give_back(db, self.part, &shard, true).await?,
                    Err(Stop::Over | Stop::Trouble { .. } | Stop::Broke(_)) => {
                        // Else its lease runs out.
                        if let Err(error) = inference::give_back(db, self.part, &shard, false).await
                        {
                            tracing::warn!(%error, "a range of images is not given back");
                        }
                    }
                    _ => {}
                }
                done?;
            } else if let Some(records) = inference::records(db, self.part).await? {
                return self.hand_over(&records.concat(), challenge).await;
            } else if self.owns {
                tokio::time::sleep(BEAT).await;
            } else {
                return Ok(());
            }
        }
    }

    async fn shard(
        &mut self,
        loaded: &Loaded,
        images: &TestSet,
        challenge: &Challenge,
        shard: &Shard,
    ) -> Result<(), Stop> {
        let mut rows = Vec::with_capacity(shard.count);
        while rows.len() < shard.count {
            let count = loaded.ready.batch.min(shard.count - rows.len());
            let first = shard.first + rows.len();
            let pixels = images.pixels(first..first + count).await?;
            let start = Instant::now();
            let running = loaded.process.rows(&pixels, count);
            let batch = self.alive(Sign::Range(shard, rows.len()), running).await?;
            self.measured.add(count, start.elapsed());
            rows.extend(batch.map_err(|end| self.stop(end))?);
            if self.reported.elapsed() >= REPORT {
                self.reported = Instant::now();
                self.give(Sign::Range(shard, rows.len())).await?;
            }
            if self.worker.shutdown.is_cancelled() {
                return Err(Stop::Over);
            }
        }
        let record = record::checked(&rows, &loaded.columns, challenge.listed())
            .ok_or_else(|| self.stop(End::Garbage))?;
        let (db, part, shard) = (self.worker.db.clone(), self.part.clone(), *shard);
        let finishing = until_written("a range of images", move || {
            let (db, part, record) = (db.clone(), part.clone(), record.clone());
            async move { inference::finish(&db, &part, &shard, &record).await }
        });
        // Where it is another's by now, that one's rows are the same.
        self.alive(Sign::Range(&shard, shard.count), finishing)
            .await??;
        self.kills = 0;
        Ok(())
    }

    async fn hand_over(&self, rows: &[u8], challenge: &Challenge) -> Result<(), Stop> {
        // None are left where another worker has handed them over.
        let Some(npy) = record::npy(rows, challenge.images) else {
            return Err(Stop::Over);
        };
        let key = format!("records/{}/{}", self.part.submission, self.part.attempt);
        let stored = self.worker.objects.put(&key, npy.into()).await;
        let stored = stored.map_err(|error| Stop::trouble(Wait::Storage, &error))?;
        let pace = self.measured.pace();
        inference::complete(&self.worker.db, self.part, &stored, pace).await?;
        metrics::counter!("referee_models_run_total").increment(1);
        Ok(())
    }

    /// Helpers leave when a job of this worker's own waits; everyone leaves when the worker is told to stop.
    fn is_wanted_elsewhere(&self) -> bool {
        self.worker.shutdown.is_cancelled() || (!self.owns && self.worker.turns.is_wanted())
    }

    /// Waits for `work`, and gives the sign of life every second.
    pub async fn alive<T>(&self, sign: Sign<'_>, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut work = std::pin::pin!(work);
        let mut beat = interval_at(tokio::time::Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.worker.shutdown.cancelled() => return Err(Stop::Over),
                _ = beat.tick() => self.give(sign).await?,
            }
        }
    }

    /// # Errors
    /// [`Stop::Over`] if the attempt no longer stands. A database that does not answer for a while ends nothing.
    pub async fn give(&self, sign: Sign<'_>) -> Result<(), Stop> {
        let (db, part) = (&self.worker.db, self.part);
        let stands = match sign {
            // Those who own the submission speak for it before its ranges do.
            Sign::Stage(..) | Sign::Counted(..) if !self.owns => return Ok(()),
            Sign::Stage(stage, done, total) => {
                inference::describe(db, part, stage, done, total).await
            }
            Sign::Counted(stage, done, total) => {
                let done = done.load(Ordering::Relaxed);
                inference::describe(db, part, stage, done, total).await
            }
            Sign::Range(shard, done) => {
                inference::progress(db, part, shard, done, self.measured.pace()).await
            }
        };
        match stands {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Over),
            Err(error) => {
                tracing::warn!(%error, "a sign of life did not reach the database");
                Ok(())
            }
        }
    }

    /// What the end of a process means for the submission.
    pub fn stop(&self, end: End) -> Stop {
        let config = &self.worker.config;
        match end {
            End::Refused(detail) => Stop::rejected(detail),
            End::Trouble(trouble) => Stop::rejected(trouble.sentence()),
            End::Memory => Stop::rejected(format!(
                "the model needs more memory than the {} MiB that a model may use here: make its layers or its input smaller",
                config.memory_mb
            )),
            End::Time => Stop::rejected(format!(
                "the model was not done after {} s, the most that a model may take here on {} threads: make it smaller or faster",
                config.seconds, config.threads
            )),
            End::Crashed(how) => Stop::rejected(format!(
                "the model made the process that ran it end by {how}: try it with `referee predict`, and please tell the organizers"
            )),
            End::Garbage => Stop::rejected(
                "the process that ran the model did not answer with a record: try the model with `referee predict`, and please tell the organizers",
            ),
            End::Killed => Stop::Killed,
            End::NotStarted(cause) => Stop::trouble(Wait::Server, &cause),
            End::Unreadable => {
                Stop::trouble(Wait::Storage, &"a model's file could not be read any more")
            }
        }
    }
}

fn killed_too_often() -> Stop {
    Stop::rejected(
        "the process that ran the model was killed five times, most likely because the machine ran out of memory: make the model smaller",
    )
}

//! A model without a recipe of its own is tried on some of the validation images with the recipes in common use. What comes of
//! it is a notice; whatever goes wrong here costs the model nothing but this.

use std::time::{Duration, Instant};

use referee_scoring::doctor::{self, Doctor, Step};
use referee_scoring::record::Row;
use referee_scoring::{Labels, Notice};

use super::process::End;
use super::run::{Loaded, Run, Sign, Stop};
use super::test_set::{Uploaded, preprocessing};

/// For how long recipes may be tried: a twentieth of the run to come, and of what a model may take at all.
pub(super) fn time(most_seconds: u64, images: usize, images_per_second: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let (run, most) = (images as f64 / images_per_second, most_seconds as f64);
    Duration::from_secs_f64((run / 20.0).clamp(20.0, 120.0).min(most / 20.0))
}

/// A model that has been run on the validation images.
pub(super) struct Patient<'p, 'r> {
    pub run: &'p Run<'r>,
    pub loaded: &'p Loaded,
    pub images: &'p Uploaded,
    pub labels: &'p Labels,
    /// With the recipe that it was given, by ordinal.
    pub rows: &'p [Row],
    pub time: Duration,
}

impl Patient<'_, '_> {
    /// The recipe with which it would do better, where there is one.
    pub async fn finding(&self) -> Result<Option<Notice>, Stop> {
        let ready = &self.loaded.ready;
        let drawn = doctor::drawn(self.labels);
        let hits = (drawn
            .iter()
            .map(|&image| self.is_hit(image, &self.rows[image])))
        .collect();
        let mut doctor = Doctor::new(
            &preprocessing(&ready.preprocess)?,
            ready.takes_pixels,
            self.images.size(),
            drawn,
            hits,
        );
        let deadline = Instant::now() + self.time;
        while let Some(step) = doctor.next()
            && Instant::now() < deadline
        {
            let candidate = step.candidate;
            let hits = self.hits(&step, deadline).await?;
            doctor.record(candidate, hits);
        }
        Ok(doctor.finding())
    }

    /// Which of a step's images are right, as far as the time allows; none where the model cannot be run with its recipe.
    async fn hits(&self, step: &Step<'_>, deadline: Instant) -> Result<Option<Vec<bool>>, Stop> {
        let sign = Sign::Stage("validation", self.rows.len(), self.rows.len());
        let mut hits = Vec::with_capacity(step.images.len());
        for images in step.images.chunks(self.loaded.ready.batch) {
            if Instant::now() >= deadline {
                break;
            }
            let pixels = self.images.few(step.recipe, images);
            let pixels = self.run.alive(sign, pixels).await??;
            let running = (self.loaded.process).rows_by(step.recipe, &pixels, images.len());
            match self.run.alive(sign, running).await? {
                Ok(rows) => hits.extend(
                    (images.iter().zip(&rows)).map(|(&image, row)| self.is_hit(image, row)),
                ),
                Err(End::Trouble(_)) => return Ok(None),
                // A new process, in which no other recipe is tried.
                Err(_) => return Err(Stop::Killed),
            }
        }
        Ok(Some(hits))
    }

    fn is_hit(&self, image: usize, row: &Row) -> bool {
        let guess = usize::try_from(row[0]).ok();
        let guess = guess.and_then(|column| self.loaded.columns.get(column));
        guess.is_some_and(|guess| self.labels.get(image).contains(guess))
    }
}

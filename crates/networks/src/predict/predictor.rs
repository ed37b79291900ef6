//! A model with all that its images need.

use std::ops::{ControlFlow, Range};

use candle_core::{DType, Device, Tensor};
use referee_scoring::Notice;
use referee_scoring::model_form::{ModelForm, Preprocessing, Resize};
use referee_scoring::predictions::{NotANumber, row_of_scores};
use referee_scoring::record::{EMPTY, Row};

use super::error::PredictError;
use super::open::Task;
use super::settle::{self, settle};
use crate::images::{Normalization, Pixels};
use crate::model::{Answers, Model, ModelError, Opened, channels_notice};

/// Turns pixels into rows of the record.
pub struct Predictor {
    model: Model,
    preprocessing: Preprocessing,
    normalization: Normalization,
    notices: Vec<Notice>,
    /// The columns that are compared with each other; none where all are.
    kept: Option<Vec<usize>>,
}

/// A batch that is done.
#[derive(Debug)]
pub struct Done<T> {
    /// The ordinals of its images.
    pub images: Range<usize>,
    /// The answers for them.
    pub answers: T,
}

impl Predictor {
    /// Settles the recipe, puts the network on `device` and tries it.
    ///
    /// # Errors
    /// Network, recipe and test images contradict each other, or the network does not run.
    pub fn new(
        opened: Opened,
        form: &ModelForm,
        task: Task,
        device: &Device,
    ) -> Result<Self, PredictError> {
        let preprocessing = settle(&opened, form, task)?;
        let raw = opened.input().raw;
        let size = match (preprocessing.crop, preprocessing.resize) {
            (Some(size), _) | (None, Some(Resize::Exact(size))) => {
                Some([size.height as usize, size.width as usize])
            }
            (None, None) => task.image.map(|[height, width, _]| [height, width]),
            (None, Some(Resize::ShortSide(_))) => None,
        };
        let size = size.ok_or(PredictError::NoSize)?;
        let model = opened.prepare(size, preprocessing.mean.len(), device)?;
        let of_images = task.image.map(|[.., channels]| channels);
        let recipe_notices = settle::notices(&preprocessing, form, task, raw);
        Ok(Self {
            notices: (channels_notice(of_images, model.channels()).into_iter())
                .chain(recipe_notices)
                .collect(),
            model,
            normalization: Normalization::of(&preprocessing),
            preprocessing,
            kept: None,
        })
    }

    /// From now on compares the scores in these columns only: the others are classes that the challenge has not. Guesses of a
    /// network that ranks classes stay as they are.
    ///
    /// # Errors
    /// What is no column of the network.
    pub fn keep(&mut self, columns: Vec<usize>) -> Result<(), PredictError> {
        let classes = self.model.classes();
        if let Some(&column) = columns.iter().find(|&&column| column >= classes) {
            let class = i64::try_from(column).unwrap_or(i64::MAX);
            return Err(ModelError::Class { class, classes }.into());
        }
        self.kept = Some(columns);
        Ok(())
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What was handled that the competitor may want to know.
    pub fn notices(&self) -> Vec<Notice> {
        let of_model = self.model.notices().iter().cloned();
        of_model.chain(self.notices.iter().cloned()).collect()
    }

    /// The recipe with nothing left open.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// As many images at a time as keep the largest layer, and the images themselves, in a hundredth of `memory` bytes, from 1 to 256.
    pub fn batch(&self, memory: u64) -> usize {
        let layers = self.model.profile().layers.iter();
        let outputs = layers.map(|layer| layer.output_shape.iter().product::<usize>());
        let image = self.model.network().input().dims.iter().product::<usize>();
        let largest = 4 * outputs.fold(image, usize::max).max(1) as u64;
        usize::try_from((memory / 100 / largest).clamp(1, 256)).unwrap_or(1)
    }

    /// The rows of a range of images, `batch` at a time; `done` is told of each batch and may end the run.
    ///
    /// # Errors
    /// The network fails or gives a score that is no number, or a picture cannot be decoded.
    pub fn run(
        &self,
        pixels: &dyn Pixels,
        range: Range<usize>,
        batch: usize,
        mut done: impl FnMut(Done<Vec<Row>>) -> ControlFlow<()>,
    ) -> Result<(), PredictError> {
        batches(range, batch, |images| {
            let answers = self.rows(&pixels.read(images.clone())?, images.len())?;
            Ok(done(Done { images, answers }))
        })
    }

    /// The logits of a range of images, `[batch, columns]` one batch after the other.
    ///
    /// # Errors
    /// As [`Self::run`]; [`PredictError::Ranked`] where the network has no logits.
    pub fn run_logits(
        &self,
        pixels: &dyn Pixels,
        range: Range<usize>,
        batch: usize,
        mut done: impl FnMut(Done<Vec<f32>>) -> ControlFlow<()>,
    ) -> Result<(), PredictError> {
        batches(range, batch, |images| {
            let pixels = pixels.read(images.clone())?;
            let input = self.input(&pixels, images.len(), &self.normalization)?;
            match self.model.run(&input)? {
                Answers::Scores { scores, .. } => Ok(done(Done {
                    images,
                    answers: scores,
                })),
                Answers::Ranked(_) => Err(PredictError::Ranked),
            }
        })
    }

    /// Rows for the pixels of `count` images, uint8 `[count, height, width, channels]` in the network's own size; one channel stands
    /// for equal ones.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn rows(&self, pixels: &[u8], count: usize) -> Result<Vec<Row>, ModelError> {
        self.rows_of(&self.input(pixels, count, &self.normalization)?)
    }

    /// The same with the values of another recipe, whose channels are as many.
    ///
    /// # Errors
    /// As [`Self::run`]; the recipe has other channels, or says something of the values where the network takes pixels.
    pub fn rows_by(
        &self,
        recipe: &Preprocessing,
        pixels: &[u8],
        count: usize,
    ) -> Result<Vec<Row>, ModelError> {
        let own = &self.preprocessing;
        let is_run = recipe.mean.len() == own.mean.len()
            && recipe.std.len() == own.mean.len()
            && (!self.model.takes_pixels()
                || (&recipe.mean, &recipe.std, recipe.scale) == (&own.mean, &own.std, own.scale));
        if !is_run {
            return Err(ModelError::ImageSize {
                takes: vec![own.mean.len()],
                given: vec![recipe.mean.len()],
            });
        }
        self.rows_of(&self.input(pixels, count, &Normalization::of(recipe))?)
    }

    fn rows_of(&self, input: &Tensor) -> Result<Vec<Row>, ModelError> {
        match self.model.run(input)? {
            Answers::Scores { classes, scores } => scores
                .chunks_exact(classes)
                .map(|scores| self.row(scores).map_err(|_| ModelError::NotFinite))
                .collect(),
            Answers::Ranked(ranked) => Ok(ranked.iter().map(|guesses| row_of(guesses)).collect()),
        }
    }

    /// The row of one image, whose classes are the network's columns.
    fn row(&self, scores: &[f32]) -> Result<Row, NotANumber> {
        let Some(kept) = &self.kept else {
            return row_of_scores(scores);
        };
        let own: Vec<f32> = kept.iter().map(|&column| scores[column]).collect();
        let column = |place: i32| match usize::try_from(place) {
            Ok(place) => i32::try_from(kept[place]).unwrap_or(-1),
            Err(_) => place,
        };
        Ok(row_of_scores(&own)?.map(column))
    }

    /// `[count, channels, height, width]`: `x = (pixel · scale − mean) / std`, or pixels where the network takes those.
    fn input(
        &self,
        pixels: &[u8],
        count: usize,
        normalization: &Normalization,
    ) -> Result<Tensor, ModelError> {
        let [height, width] = self.model.size();
        let channels = pixels.len() / (count * height * width).max(1);
        let fits = pixels.len() == count * height * width * channels
            && (channels == 1 || channels == self.model.channels());
        if !fits {
            return Err(ModelError::ImageSize {
                takes: vec![self.model.channels(), height, width],
                given: vec![pixels.len() / count.max(1)],
            });
        }
        let normalized = normalization.apply(pixels, height * width, channels);
        let shape = (count, self.model.channels(), height, width);
        let images = Tensor::from_vec(normalized, shape, &Device::Cpu)?;
        if self.model.takes_pixels() {
            return Ok(images.to_dtype(DType::U8)?);
        }
        Ok(images)
    }
}

fn batches(
    range: Range<usize>,
    batch: usize,
    mut run: impl FnMut(Range<usize>) -> Result<ControlFlow<()>, PredictError>,
) -> Result<(), PredictError> {
    let batch = batch.max(1);
    for first in range.clone().step_by(batch) {
        if run(first..(first + batch).min(range.end))?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A ranked list as a row: guesses are distinct unless the network repeats one, of which the first counts.
fn row_of(guesses: &[usize]) -> Row {
    let mut row = EMPTY;
    let mut ranked = 0;
    for &guess in guesses {
        let class = i32::try_from(guess).unwrap_or(-1);
        if ranked < 5 && !row[1..=ranked].contains(&class) {
            ranked += 1;
            row[ranked] = class;
        }
    }
    row[0] = row[1];
    row
}

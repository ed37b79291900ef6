//! The doctor: whether a model would do better with another preprocessing recipe in common use.
//!
//! A network run on pixels that are scaled otherwise than in its training answers without complaint, only worse. On public images with
//! labels that can be seen: the model is run on a few of them with each recipe, and what is better beyond chance is said. Whoever
//! runs the model asks for the [`next`](Doctor::next) step and [`record`](Doctor::record)s which images it got right, until there is
//! none or no time is left.

mod candidates;

use crate::labels::Labels;
use crate::model_form::{Preprocessing, Size};
use crate::predictions::Notice;
use crate::statistics;
pub use candidates::Candidate;

/// The most images that a recipe is tried on.
pub const MOST_IMAGES: usize = 300;
/// Every recipe is tried on so many images first, and the [`KEPT`] best on so many more at a time.
const BLOCK: usize = 50;
const KEPT: usize = 3;
/// Fewer images tell nothing.
const FEWEST: usize = 20;

/// How often one would be named by chance at most, all recipes together.
const SIGNIFICANCE: f64 = 0.01;
/// By how much the error has to fall.
const MATERIAL: f64 = 0.02;

/// What is to be run next: the images, by ordinal, prepared by the recipe.
#[derive(Debug)]
pub struct Step<'d> {
    pub candidate: usize,
    pub recipe: &'d Preprocessing,
    pub images: &'d [usize],
}

/// A trial of recipes on a sample of labelled images.
#[derive(Debug)]
pub struct Doctor {
    /// The sample, in the order in which it is tried.
    images: Vec<usize>,
    /// Which of them the model gets right with the recipe that it was given.
    given: Vec<bool>,
    trials: Vec<Trial>,
    raw: bool,
}

#[derive(Debug)]
struct Trial {
    candidate: Candidate,
    /// Of the sample's first images.
    hits: Vec<bool>,
    is_over: bool,
}

impl Doctor {
    /// `images` are [`drawn`], and `hits` says which of them the model gets right with the recipe that it was `given`. `raw`: it
    /// takes pixels as they are. `size` is that of all images, where they have the same.
    pub fn new(
        given: &Preprocessing,
        raw: bool,
        size: Option<Size>,
        images: Vec<usize>,
        hits: Vec<bool>,
    ) -> Self {
        let trials = candidates::besides(given, raw, size).into_iter();
        Self {
            given: hits,
            trials: trials
                .map(|candidate| Trial {
                    candidate,
                    hits: Vec::new(),
                    is_over: false,
                })
                .collect(),
            images,
            raw,
        }
    }

    /// How many recipes there are to try.
    pub fn candidates(&self) -> usize {
        self.trials.len()
    }

    /// The next step; none where nothing more would be learnt.
    pub fn next(&self) -> Option<Step<'_>> {
        if self.images.len() < FEWEST {
            return None;
        }
        let open = self.trials.iter().enumerate();
        let open = open.filter(|(_, trial)| !trial.is_over && trial.hits.len() < self.images.len());
        let (candidate, trial) = open.min_by_key(|(_, trial)| trial.hits.len())?;
        let first = trial.hits.len();
        Some(Step {
            candidate,
            recipe: &trial.candidate.recipe,
            images: &self.images[first..(first + BLOCK).min(self.images.len())],
        })
    }

    /// Which of the images of a step its recipe gets right; none where the model could not be run with it.
    pub fn record(&mut self, candidate: usize, hits: Option<Vec<bool>>) {
        let trial = &mut self.trials[candidate];
        match hits {
            Some(hits) => trial.hits.extend(hits),
            None => trial.is_over = true,
        }
        let first_round = BLOCK.min(self.images.len());
        let is_open = |trial: &&mut Trial| !trial.is_over;
        let waits = |trial: &Trial| !trial.is_over && trial.hits.len() < first_round;
        if self.trials.iter().any(waits) {
            return;
        }
        let mut best: Vec<&mut Trial> = self.trials.iter_mut().filter(is_open).collect();
        best.sort_by_key(|trial| misses(&trial.hits[..first_round]));
        for worse in best.into_iter().skip(KEPT) {
            worse.is_over = true;
        }
    }

    /// What to say: the recipe that does best, where it is better than the one given by more than chance and by enough to matter.
    pub fn finding(&self) -> Option<Notice> {
        let better = self.trials.iter().filter_map(|trial| {
            let tried = trial.hits.len();
            let given = &self.given[..tried];
            let pairs = || given.iter().zip(&trial.hits);
            let lost = pairs().filter(|(given, hit)| **given && !**hit).count() as u64;
            let won = pairs().filter(|(given, hit)| !**given && **hit).count() as u64;
            let (before, after) = (error(given), error(&trial.hits));
            #[expect(clippy::cast_precision_loss, reason = "a dozen recipes")]
            let p = statistics::mcnemar(lost, won).mid_p * self.trials.len() as f64;
            let is_named = tried >= FEWEST && p <= SIGNIFICANCE && before - after >= MATERIAL;
            is_named.then_some((trial, before, after))
        });
        let (trial, before, after) =
            better.min_by(|(.., one), (.., other)| one.total_cmp(other))?;
        let percent = |error: f64| format!("{:.1} %", 100.0 * error);
        Some(Notice {
            code: "doctor".into(),
            detail: format!(
                "with {} the error on the validation images is {} instead of {} (on {} of them, drawn at random); if the network was trained so, submit it again with preprocess={}",
                trial.candidate.words,
                percent(after),
                percent(before),
                trial.hits.len(),
                trial.candidate.recipe.to_say(self.raw),
            ),
        })
    }
}

/// The labelled images on which recipes are tried, at most [`MOST_IMAGES`]: at random, because images are often sorted by class,
/// and always the same.
pub fn drawn(labels: &Labels) -> Vec<usize> {
    let labelled = (0..labels.len()).filter(|&image| !labels.get(image).is_empty());
    let mut images: Vec<usize> = labelled.collect();
    images.sort_by_key(|&image| mixed(image));
    images.truncate(MOST_IMAGES);
    images
}

fn misses(hits: &[bool]) -> usize {
    hits.iter().filter(|hit| !**hit).count()
}

#[expect(clippy::cast_precision_loss, reason = "at most MOST_IMAGES")]
fn error(hits: &[bool]) -> f64 {
    misses(hits) as f64 / hits.len().max(1) as f64
}

/// `SplitMix64` (Steele, Lea and Flood 2014): numbers in an order without a pattern.
fn mixed(number: usize) -> u64 {
    let mut z = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Class;
    use crate::model_form::{ImageInput, Recipe};

    fn labels(images: usize) -> Labels {
        Labels::from_sets((0..images).map(|_| vec![Class(0)]))
    }

    fn gray() -> Preprocessing {
        let input = ImageInput {
            channels: Some(1),
            size: Some(Size::square(28)),
            raw: false,
            image: Some(Size::square(28)),
        };
        Recipe::default().resolve(input).expect("resolved")
    }

    /// Runs all steps; `rate` says of a recipe which part of the images it gets right, and always the same ones first.
    fn examined(images: usize, given: f64, rate: impl Fn(&Preprocessing) -> Option<f64>) -> Doctor {
        let real = |count: usize| f64::from(u32::try_from(count).expect("small"));
        let right = |image: usize, rate: f64| real(image) < rate * real(images);
        let size = Some(Size::square(28));
        let images_drawn = drawn(&labels(images));
        let hits = images_drawn.iter().map(|&image| right(image, given));
        let hits = hits.collect();
        let mut doctor = Doctor::new(&gray(), false, size, images_drawn, hits);
        while let Some(step) = doctor.next() {
            let hits = rate(step.recipe).map(|rate| {
                let images = step.images.iter();
                images.map(|&image| right(image, rate)).collect()
            });
            let candidate = step.candidate;
            doctor.record(candidate, hits);
        }
        doctor
    }

    #[test]
    fn a_better_recipe_is_named_with_both_errors() {
        let is_half = |recipe: &Preprocessing| recipe.mean == [0.5] && recipe.std == [0.5];
        let doctor = examined(200, 0.775, |recipe| {
            Some(if is_half(recipe) { 0.885 } else { 0.4 })
        });
        let detail = doctor.finding().expect("better").detail;
        assert!(
            detail.starts_with("with mean 0.5 and std 0.5 the error on the validation images is 11.5 % instead of 22.5 %"),
            "{detail}"
        );
        assert!(detail.contains(r#""mean":[0.5],"std":[0.5]"#), "{detail}");
    }

    /// 100 images, one more right: that is chance. 300 images and 1.5 points: that does not matter.
    #[test]
    fn chance_and_trifles_are_not_named() {
        assert_eq!(examined(100, 0.80, |_| Some(0.81)).finding(), None);
        assert_eq!(examined(300, 0.80, |_| Some(0.815)).finding(), None);
        assert_eq!(examined(10, 0.0, |_| Some(1.0)).finding(), None);
        assert_eq!(examined(300, 0.80, |_| None).finding(), None);
    }

    #[test]
    fn all_are_tried_on_a_block_and_a_few_on_the_sample() {
        let doctor = examined(1000, 0.5, |_| Some(0.5));
        assert_eq!(doctor.images.len(), MOST_IMAGES);
        let tried = doctor.trials.iter().map(|trial| trial.hits.len());
        let mut tried: Vec<usize> = tried.collect();
        tried.sort_unstable();
        assert_eq!(tried.len(), doctor.candidates());
        assert_eq!(tried[tried.len() - KEPT..], [MOST_IMAGES; KEPT]);
        assert!(
            tried[..tried.len() - KEPT]
                .iter()
                .all(|&tried| tried == BLOCK)
        );
    }

    /// Images sorted by class give no sample of one class.
    #[test]
    fn the_sample_is_spread() {
        let doctor = examined(3000, 0.5, |_| Some(0.5));
        let early = doctor.images.iter().filter(|&&image| image < 1500);
        assert!((110..190).contains(&early.count()));
    }
}

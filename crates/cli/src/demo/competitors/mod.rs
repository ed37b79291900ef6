//! Honest competitors of increasing strength: six who submit predictions, and some who submit [`networks`].
//!
//! Each infers a rule from the public training data alone: [`Competitor::train`] is given nothing else, and the
//! rule that it returns sees images without labels. Every seed is fixed, so the same machine submits the same bytes.

mod class_prior;
mod k_nearest;
mod mlp;
mod nearest_mean;
pub mod networks;
mod perceptron;
mod softmax;
mod submission;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, s};

pub use submission::Format;

/// The classes of Fashion-MNIST.
const CLASSES: usize = 10;

/// What every competitor may know.
pub struct Training {
    /// `[N, pixels]`, 0 = background, 1 = the brightest.
    pub images: Array2<f32>,
    /// `[N]`, class indices from 0.
    pub labels: Vec<usize>,
}

/// What a competitor learned: images `[N, pixels]` in, scores `[N, classes]` out, higher is likelier.
pub type Rule = Box<dyn Fn(&ArrayRef2<f32>) -> Array2<f32>>;

/// One who competes: an account, a method, and the file format that it submits.
pub struct Competitor {
    pub handle: &'static str,
    pub method: &'static str,
    pub description: &'static str,
    pub format: Format,
    pub train: fn(&Training) -> Rule,
}

/// The competitors, from the weakest to the strongest. Between them they use every prediction format.
pub const COMPETITORS: [Competitor; 6] = [
    class_prior::COMPETITOR,
    nearest_mean::COMPETITOR,
    perceptron::COMPETITOR,
    softmax::COMPETITOR,
    k_nearest::COMPETITOR,
    mlp::COMPETITOR,
];

impl Training {
    /// The first `n` examples.
    pub fn first(&self, n: usize) -> Training {
        Training {
            images: self.images.slice(s![..n, ..]).to_owned(),
            labels: self.labels[..n].to_vec(),
        }
    }

    /// The share of these examples whose class is not the rule's first guess.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of images are exact in an f64"
    )]
    pub fn error(&self, rule: &Rule) -> f64 {
        let scores = rule(&self.images);
        let guesses = scores.outer_iter().map(|scores| argmax(&scores));
        let wrong = guesses
            .zip(&self.labels)
            .filter(|(guess, label)| guess != *label)
            .count();
        wrong as f64 / self.labels.len() as f64
    }

    /// The mean image of each class, `[classes, pixels]`.
    fn class_means(&self) -> Array2<f32> {
        let mut means = Array2::zeros((CLASSES, self.images.ncols()));
        let mut counts = Array1::<f32>::zeros(CLASSES);
        for (image, &label) in self.images.outer_iter().zip(&self.labels) {
            means.row_mut(label).scaled_add(1.0, &image);
            counts[label] += 1.0;
        }
        means / counts.insert_axis(Axis(1))
    }
}

/// The index of the largest score; of equal ones, the first.
fn argmax(scores: &ArrayRef1<f32>) -> usize {
    (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// Examples in a new order each epoch, in batches of `size`: what stochastic gradient descent walks over.
struct Batches {
    order: Vec<usize>,
    size: usize,
    random: fastrand::Rng,
}

impl Batches {
    fn new(examples: usize, size: u16, seed: u64) -> Self {
        Self {
            order: (0..examples).collect(),
            size: size.into(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The batches of the next epoch, each a list of ordinals.
    fn shuffled(&mut self) -> std::slice::Chunks<'_, usize> {
        self.random.shuffle(&mut self.order);
        self.order.chunks(self.size)
    }
}

/// Scores to probabilities, row by row, in place (softmax), less the one-hot `labels`: the gradient of the
/// cross-entropy with respect to the scores.
fn cross_entropy_gradient(scores: &mut Array2<f32>, labels: impl Iterator<Item = usize>) {
    for (mut row, label) in scores.outer_iter_mut().zip(labels) {
        let max = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|score| (score - max).exp());
        let sum = row.sum();
        row.mapv_inplace(|e| e / sum);
        row[label] -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::demo::dataset::{FashionMnist, Half};

    fn examples(half: Half, n: usize) -> Training {
        let data = FashionMnist::locate().unwrap();
        let (images, labels) = (data.images(half).unwrap(), data.labels(half).unwrap());
        Training {
            images: Array2::from_shape_fn((n, 784), |(i, j)| {
                f32::from(images.bytes[i * 784 + j]) / 255.0
            }),
            labels: labels.bytes[..n]
                .iter()
                .map(|&label| usize::from(label))
                .collect(),
        }
    }

    /// How many of the first 1,000 test images each gets wrong after the first 3,000 training images. The methods
    /// without chance do as in Python: the nearest of `np.mean` by class, scikit-learn's
    /// `KNeighborsClassifier(5, weights="distance")` on the same halved images, the rarity of the most frequent class.
    /// The others lie around scikit-learn's on the same images: `Perceptron` 183 to 214 (five seeds; it stops early),
    /// `LogisticRegression` 176 to 183, `MLPClassifier` with the same settings 161 to 178 (five seeds).
    #[test]
    fn each_competitor_does_as_well_as_its_method_elsewhere() {
        let training = examples(Half::Training, 3_000);
        let test = examples(Half::Test, 1_000);
        let wrong =
            COMPETITORS.map(|competitor| 1_000.0 * test.error(&(competitor.train)(&training)));
        let [
            class_prior,
            nearest_mean,
            perceptron,
            softmax,
            k_nearest,
            mlp,
        ] = wrong.map(|thousandths| format!("{thousandths:.0}").parse::<u32>().unwrap());
        assert_eq!((class_prior, nearest_mean, k_nearest), (895, 332, 189));
        assert!((170..300).contains(&perceptron), "{perceptron}");
        assert!((165..205).contains(&softmax), "{softmax}");
        assert!((140..185).contains(&mlp), "{mlp}");
    }

    /// As `torch.nn.functional.cross_entropy(…, reduction="sum").backward()` leaves it.
    #[test]
    fn the_gradient_is_softmax_less_one_hot() {
        let mut scores = array![[1.0, 2.0, 3.0]];
        cross_entropy_gradient(&mut scores, [2].into_iter());
        let torch = array![[0.090_030_57, 0.244_728_47, -0.334_759_05]];
        assert!(
            (scores - torch)
                .iter()
                .all(|difference: &f32| difference.abs() < 1e-6)
        );
    }
}

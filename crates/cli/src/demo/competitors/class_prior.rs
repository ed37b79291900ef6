//! Guessing without looking: what any method must beat.

use ndarray::{Array1, Array2};

use super::{CLASSES, Competitor, Format, Rule, Training};

pub const COMPETITOR: Competitor = Competitor {
    handle: "class-prior",
    method: "Class prior",
    description: "Ranks the classes by their frequency in the training set, whatever the image shows.",
    format: Format::Text,
    train,
};

fn train(training: &Training) -> Rule {
    let mut frequencies = Array1::<f32>::zeros(CLASSES);
    for &label in &training.labels {
        frequencies[label] += 1.0;
    }
    Box::new(move |images| {
        Array2::from_shape_fn((images.nrows(), CLASSES), |(_, class)| frequencies[class])
    })
}

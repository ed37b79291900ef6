//! The classifier with one memory for each class.

use ndarray::Axis;

use super::{Competitor, Format, Rule, Training};

pub const COMPETITOR: Competitor = Competitor {
    handle: "nearest-mean",
    method: "Nearest class mean",
    description: "Ranks the classes by the Euclidean distance from the image to the mean training image of each.",
    format: Format::Csv,
    train,
};

fn train(training: &Training) -> Rule {
    let means = training.class_means();
    let squared_lengths = means.map_axis(Axis(1), |mean| mean.dot(&mean));
    // -|x - m|² without |x|², which is the same for every class.
    Box::new(move |images| images.dot(&means.t()) * 2.0 - &squared_lengths)
}

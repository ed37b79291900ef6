//! The recipes in common use.

use crate::model_form::{Channels, Preprocessing, Resize, Size, usual_resize};

/// A recipe, and what tells it from the one that was given.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub recipe: Preprocessing,
    /// Such as `mean 0.5 and std 0.5`.
    pub words: String,
}

/// What is done to the values of pixels.
struct Values {
    mean: &'static [f64],
    std: &'static [f64],
    scale: f64,
    channels: Option<Channels>,
    words: Option<&'static str>,
}

const BYTE: f64 = 1.0 / 255.0;

impl Values {
    const fn of(mean: &'static [f64], std: &'static [f64]) -> Self {
        Self {
            mean,
            std,
            scale: BYTE,
            channels: None,
            words: None,
        }
    }

    const fn called(self, words: &'static str) -> Self {
        Self {
            words: Some(words),
            ..self
        }
    }
}

/// Of any network: centred, as TensorFlow's quantised networks have it (127 and 128), from 0 to 1, and as they are.
const PLAIN: [Values; 4] = [
    Values::of(&[0.5], &[0.5]),
    Values::of(&[127.0 / 255.0], &[128.0 / 255.0]),
    Values::of(&[0.0], &[1.0]).called("pixels from 0 to 1 (mean 0 and std 1)"),
    Values {
        scale: 1.0,
        ..Values::of(&[0.0], &[1.0]).called("pixels from 0 to 255 (scale 1, mean 0 and std 1)")
    },
];

/// ImageNet's, and Caffe's.
const COLOUR: [Values; 2] = [
    Values::of(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
    Values {
        scale: 1.0,
        channels: Some(Channels::Bgr),
        ..Values::of(&[103.939, 116.779, 123.68], &[1.0]).called(
            "channels bgr and Caffe's means (scale 1, mean 103.939, 116.779, 123.68 and std 1)",
        )
    },
];

/// MNIST's and Fashion-MNIST's.
const GRAY: [Values; 2] = [
    Values::of(&[0.1307], &[0.3081]),
    Values::of(&[0.2860], &[0.3530]),
];

/// The recipes in common use that differ from the one given. Those that leave its sizes as they are come first.
pub(super) fn besides(given: &Preprocessing, raw: bool, image: Option<Size>) -> Vec<Candidate> {
    let own: &[Values] = match given.mean.len() {
        1 => &GRAY,
        3 => &COLOUR,
        _ => &[],
    };
    let values: Vec<Candidate> = (own.iter().chain(&PLAIN))
        .filter(|_| !raw)
        .map(|values| with_values(given, values))
        .filter(|candidate| candidate.recipe != *given)
        .collect();
    let sizes = other_sizes(given, image);
    let resized = sizes.into_iter().flat_map(|(resize, words)| {
        let recipe = |of: &Preprocessing| Preprocessing {
            resize: Some(resize),
            small: None,
            ..of.clone()
        };
        let alone = Candidate {
            recipe: recipe(given),
            words: words.clone(),
        };
        let both: Vec<Candidate> = values
            .iter()
            .map(|candidate| Candidate {
                recipe: recipe(&candidate.recipe),
                words: format!("{}, and {words},", candidate.words),
            })
            .collect();
        std::iter::once(alone).chain(both)
    });
    let resized: Vec<Candidate> = resized.collect();
    values.into_iter().chain(resized).collect()
}

fn with_values(given: &Preprocessing, values: &Values) -> Candidate {
    let channels = given.mean.len();
    let broadcast = |numbers: &[f64]| match numbers {
        [one] => vec![*one; channels],
        many => many.to_vec(),
    };
    let list = |numbers: &[f64]| {
        let numbers: Vec<String> = numbers.iter().map(|number| rounded(*number)).collect();
        numbers.join(", ")
    };
    let words = match values.words {
        Some(words) => words.to_owned(),
        None => format!("mean {} and std {}", list(values.mean), list(values.std)),
    };
    Candidate {
        recipe: Preprocessing {
            mean: broadcast(values.mean),
            std: broadcast(values.std),
            scale: values.scale,
            // RGB again where the recipe given has it reversed.
            channels: values
                .channels
                .or(given.channels.map(|channels| match channels {
                    Channels::Bgr => Channels::Rgb,
                    other => other,
                })),
            ..given.clone()
        },
        words,
    }
}

/// With a margin round the crop where there is none, and without where there is one. Images that have the crop's size have none.
fn other_sizes(given: &Preprocessing, image: Option<Size>) -> Vec<(Resize, String)> {
    let Some(crop) = given.crop.filter(|crop| crop.height == crop.width) else {
        return Vec::new();
    };
    if image == Some(crop) {
        return Vec::new();
    }
    let (side, usual) = (crop.height, usual_resize(crop.height));
    let without = (
        Resize::ShortSide(side),
        format!("without a margin round the crop (resize {side})"),
    );
    let with = (
        Resize::ShortSide(usual),
        format!("with a margin round the crop (resize {usual})"),
    );
    let other = |(resize, _): &(Resize, String)| given.resize != Some(*resize);
    [without, with].into_iter().filter(other).collect()
}

/// With three decimals at most, and none that are 0; more where these would hide the number.
fn rounded(number: f64) -> String {
    let text = if number.fract() == 0.0 || number.abs() >= 10.0 {
        number.to_string()
    } else if (number * 1e4 - (number * 1e4).round()).abs() < 1e-6 {
        format!("{number:.4}")
    } else {
        format!("{number:.3}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

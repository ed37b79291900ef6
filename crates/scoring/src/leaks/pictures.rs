//! What a tar and its picture files tell besides their names.

use std::collections::BTreeMap;

use super::chance::{EFFECT, Guess};
use super::learning::{ABSENT, Key, Learner, key};
use super::names::{Best, offer, sorted_by, word_key};
use crate::image_files::{Format, PictureFile, Traits};

/// Pictures of one class resemble each other, so that their sizes always tell something. What matters is when they tell a quarter.
const EFFECT_OF_PICTURES: f64 = 0.25;

/// Which image it is of the test set.
pub(super) fn ordinals(learner: &mut Learner<'_>, classes: usize) -> Option<Best> {
    numbers(
        learner,
        |image| image as u64,
        "the place of the image",
        classes,
    )
}

/// Where the pictures lie in the file, which is not the order of their names.
pub(super) fn places(
    learner: &mut Learner<'_>,
    files: &[PictureFile],
    classes: usize,
) -> Option<Best> {
    let mut by_offset: Vec<usize> = (0..files.len()).collect();
    by_offset.sort_unstable_by_key(|&image| files[image].offset);
    let mut places = vec![0; files.len()];
    for (place, image) in (0..).zip(by_offset) {
        places[image] = place;
    }
    numbers(
        learner,
        |image| places[image],
        "the place in the archive",
        classes,
    )
}

/// When the files were changed last.
pub(super) fn times(
    learner: &mut Learner<'_>,
    files: &[PictureFile],
    classes: usize,
) -> Option<Best> {
    numbers(
        learner,
        |image| files[image].changed,
        "the time of change in the archive",
        classes,
    )
}

fn numbers(
    learner: &mut Learner<'_>,
    number: impl Fn(usize) -> u64,
    what: &str,
    classes: usize,
) -> Option<Best> {
    let values: Vec<Option<u64>> = learner
        .sample
        .images
        .iter()
        .map(|&image| Some(number(image)))
        .collect();
    let keys: Vec<Key> = values
        .iter()
        .flatten()
        .map(|value| value.wrapping_add(1))
        .collect();
    let mut best = None;
    offer(&mut best, learner.by_key(&keys, EFFECT), || what.to_owned());
    offer(&mut best, sorted_by(learner, &values), || {
        format!("the image before, when sorted by {what},")
    });
    if let Some((guess, how)) = learner.by_number(&values, classes) {
        offer(&mut best, Some(guess), || format!("{what}, by {how},"));
    }
    best
}

pub(super) fn owners(learner: &mut Learner<'_>, files: &[PictureFile]) -> Option<Best> {
    let keys: Vec<Key> = learner
        .sample
        .images
        .iter()
        .map(|&image| key(files[image].owner.to_le_bytes()))
        .collect();
    let what = "the owner, group or mode in the archive".to_owned();
    learner
        .by_key(&keys, EFFECT)
        .map(|guess| Best { guess, what })
}

/// Of each of these images, what its picture says about itself.
pub(super) fn of_images<'t>(
    images: &[usize],
    traits: &'t [(usize, Traits)],
) -> Vec<Option<&'t Traits>> {
    let of = |image: &usize| {
        let at = traits
            .binary_search_by_key(image, |(ordinal, _)| *ordinal)
            .ok()?;
        Some(&traits[at].1)
    };
    images.iter().map(of).collect()
}

pub(super) fn formats(learner: &mut Learner<'_>, traits: &[Option<&Traits>]) -> Option<Best> {
    let what = "whether a picture is JPEG or PNG".to_owned();
    let is_png = |traits: &Traits| 1 + u64::from(traits.format == Format::Png);
    by(learner, traits, EFFECT, is_png).map(|guess| Best { guess, what })
}

/// Each field by itself, and all words of all of them.
pub(super) fn metadata(learner: &mut Learner<'_>, traits: &[Option<&Traits>]) -> Option<Best> {
    let mut fields: BTreeMap<&str, usize> = BTreeMap::new();
    for (field, _) in traits.iter().flatten().flat_map(|traits| &traits.fields) {
        *fields.entry(field).or_default() += 1;
    }
    let mut best = None;
    // The most frequent ones: what few pictures have tells little.
    let mut frequent: Vec<(&str, usize)> = fields.into_iter().collect();
    frequent.sort_by_key(|&(_, pictures)| std::cmp::Reverse(pictures));
    for (field, _) in frequent.into_iter().take(64) {
        let value = |traits: &Traits| {
            let values = traits.fields.iter().find(|(name, _)| name == field);
            values.map_or(ABSENT, |(_, value)| key(value.iter().copied()))
        };
        let guess = by(learner, traits, EFFECT, value);
        offer(&mut best, guess, || {
            format!("the pictures' metadata ({field})")
        });
    }
    let words: Vec<Vec<Key>> = traits
        .iter()
        .map(|traits| {
            traits.map_or_else(Vec::new, |traits| {
                traits.words.iter().map(|word| word_key(word)).collect()
            })
        })
        .collect();
    let guess = learner.by_any(&words, EFFECT);
    offer(&mut best, guess, || {
        "a word of the pictures' metadata".to_owned()
    });
    best
}

/// Width and height: of the pictures themselves, so that no shuffling takes them away.
pub(super) fn dimensions(learner: &mut Learner<'_>, traits: &[Option<&Traits>]) -> Option<Best> {
    type Measure = fn(&Traits) -> u64;
    let mut best = None;
    let measures: [(Measure, &str); 3] = [
        (
            |traits| u64::from(traits.width) << 32 | u64::from(traits.height),
            "the width and height of a picture",
        ),
        (|traits| u64::from(traits.width), "the width of a picture"),
        (|traits| u64::from(traits.height), "the height of a picture"),
    ];
    for (measure, what) in measures {
        let guess = by(learner, traits, EFFECT_OF_PICTURES, measure);
        offer(&mut best, guess, || what.to_owned());
    }
    best
}

pub(super) fn codings(learner: &mut Learner<'_>, traits: &[Option<&Traits>]) -> Option<Best> {
    let guess = by(learner, traits, EFFECT_OF_PICTURES, |traits| {
        key(traits.coding.iter().copied())
    });
    let what = "the way a picture is coded (its colours, sampling and tables)".to_owned();
    guess.map(|guess| Best { guess, what })
}

fn by(
    learner: &mut Learner<'_>,
    traits: &[Option<&Traits>],
    effect: f64,
    of: impl Fn(&Traits) -> Key,
) -> Option<Guess> {
    let keys: Vec<Key> = traits
        .iter()
        .map(|traits| traits.map_or(ABSENT, &of))
        .collect();
    learner.by_key(&keys, effect)
}

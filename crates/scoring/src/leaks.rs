//! Whether a test set gives its labels away by its names, its order or its file sizes.
//!
//! Every check is a guess that anyone could make without looking at a picture ("the folder says so", "the same class as the image
//! before"), counted on the real labels. A finding needs both: more hits than chance would give once in a million test sets, and
//! enough of them to matter.

use std::collections::{HashMap, HashSet};

use crate::classes::{Class, ClassList};
use crate::images::ImageList;
use crate::labels::Labels;
use crate::statistics::binomial_tail;

/// Chance gives as many hits once in a million test sets.
const SIGNIFICANCE: f64 = 1e-6;

/// Of the images that chance leaves open, so many are guessed right: one in twenty.
const EFFECT: f64 = 0.05;

/// Pictures of one class compress alike, so that file sizes always tell something. What matters is when they tell half.
const EFFECT_OF_SIZES: f64 = 0.5;

/// Wald and Wolfowitz's runs test for any number of classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunsTest {
    /// Stretches of equal labels.
    pub runs: u64,
    /// Their number in a random order, on average.
    pub expected: f64,
    /// Standard deviations above (below: negative) the average. Sorted labels have few runs and a large negative z.
    pub z: f64,
}

/// Tests whether these labels are in random order (Wald and Wolfowitz 1940; several classes: Barton and David 1957).
pub fn runs_test(labels: &[Class]) -> RunsTest {
    let n = count(labels.len());
    let (mut squares, mut cubes) = (0.0, 0.0);
    for &of_class in frequencies(labels).values() {
        squares += of_class * of_class;
        cubes += of_class * of_class * of_class;
    }
    let equal_neighbours = labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let runs = labels.len() - equal_neighbours;
    let expected = if labels.is_empty() {
        0.0
    } else {
        n + 1.0 - squares / n
    };
    let variance =
        (squares * (squares + n * (n + 1.0)) - 2.0 * n * cubes - n * n * n) / (n * n * (n - 1.0));
    let z = if variance > 0.0 {
        (count(runs) - expected) / variance.sqrt()
    } else {
        0.0
    };
    RunsTest {
        runs: runs as u64,
        expected,
        z,
    }
}

/// The sentence that says how the labels can be guessed and what to do about it; none where they cannot.
///
/// `sizes` are the images' file sizes in bytes by ordinal, where they come as files. Of an image with several labels the first is looked
/// at, skipped ones are left out. Names are checked first, since names also make the order.
///
/// # Panics
/// If `labels`, `images` and `sizes` are not of the same length.
pub fn finding(
    labels: &Labels,
    images: &ImageList,
    sizes: Option<&[u64]>,
    classes: &ClassList,
) -> Option<String> {
    assert_eq!(
        labels.len(),
        images.len(),
        "labels and images are of the same test set"
    );
    let truth: Vec<(usize, Class)> = (0..labels.len())
        .filter_map(|image| labels.get(image).first().map(|&class| (image, class)))
        .collect();
    let what = images
        .names()
        .and_then(|names| by_names(&truth, names, classes))
        .or_else(|| by_order(&truth, images.names()))
        .or_else(|| sizes.and_then(|sizes| by_sizes(&truth, sizes)))?;
    Some(format!(
        "{what}: run `referee challenge shuffle DIR` first, or pass --known-labels if these labels are public anyway"
    ))
}

/// How often a guess is right, and how often it would be by chance.
struct Guess {
    hits: usize,
    trials: usize,
    expected: f64,
}

impl Guess {
    fn gives_away(&self, effect: f64) -> bool {
        let (hits, trials) = (count(self.hits), count(self.trials));
        hits - self.expected >= effect * (trials - self.expected)
            && hits > self.expected
            && binomial_tail(self.hits as u64, self.trials as u64, self.expected / trials)
                < SIGNIFICANCE
    }
}

fn by_names(truth: &[(usize, Class)], names: &[String], classes: &ClassList) -> Option<String> {
    let phrases = phrases(classes);
    let says = |part: fn(&str) -> &str| {
        let share = frequencies(&classes_of(truth));
        let mut guess = Guess {
            hits: 0,
            trials: truth.len(),
            expected: 0.0,
        };
        for (image, class) in truth {
            let said = classes_in(part(&names[*image]), &phrases);
            guess.hits += usize::from(said.contains(class));
            let chance: f64 = said.iter().filter_map(|class| share.get(class)).sum();
            guess.expected += chance / count(truth.len());
        }
        guess
    };
    let folders = says(|name| name.rsplit_once('/').map_or("", |(folder, _)| folder));
    let files = says(|name| name.rsplit_once('/').map_or(name, |(_, file)| file));
    let sentence = |what: &str, guess: &Guess| {
        format!(
            "{what} give the labels away: {} of {} images are named after their class",
            guess.hits, guess.trials
        )
    };
    if folders.gives_away(EFFECT) {
        Some(sentence("folders", &folders))
    } else if files.gives_away(EFFECT) {
        Some(sentence("file names", &files))
    } else {
        None
    }
}

fn by_order(truth: &[(usize, Class)], names: Option<&[String]>) -> Option<String> {
    let in_order = in_order("the order of the images gives", &classes_of(truth), EFFECT);
    in_order.or_else(|| {
        let names = names?;
        let mut byte_order = truth.to_vec();
        byte_order.sort_by_key(|&(image, _)| names[image].as_str());
        let mut natural = truth.to_vec();
        natural.sort_by_cached_key(|&(image, _)| natural_key(&names[image]));
        [byte_order, natural].iter().find_map(|sorted| {
            self::in_order("the names, when sorted, give", &classes_of(sorted), EFFECT)
        })
    })
}

fn by_sizes(truth: &[(usize, Class)], sizes: &[u64]) -> Option<String> {
    let mut by_size = truth.to_vec();
    // Files of the same size say nothing, so they may not stay in an order that does.
    by_size.sort_by_key(|&(image, _)| (sizes[image], scattered(image)));
    in_order(
        "the file sizes, when sorted, give",
        &classes_of(&by_size),
        EFFECT_OF_SIZES,
    )
}

/// Two guesses at labels in this order: the same class as the image before, and the class that mostly followed that one in the first
/// half. The first finds sorted and clumped labels, the second those that take turns.
fn in_order(what: &str, labels: &[Class], effect: f64) -> Option<String> {
    if labels.len() < 2 {
        return None;
    }
    let test = runs_test(labels);
    let same = Guess {
        hits: labels.len() - usize::try_from(test.runs).ok()?,
        trials: labels.len() - 1,
        expected: count(labels.len()) - test.expected,
    };
    if same.gives_away(effect) {
        let Guess {
            hits,
            trials,
            expected,
        } = same;
        return Some(format!(
            "{what} the labels away: {hits} of {trials} images have the class of the one before, {expected:.0} would by chance"
        ));
    }
    let next = successors(labels);
    next.gives_away(effect).then(|| {
        let Guess { hits, trials, expected } = next;
        format!("{what} the labels away: the class of the image before tells that of {hits} of {trials} images, {expected:.0} by chance")
    })
}

/// Learns on the first half of the labels which class follows which, and guesses the second half.
fn successors(labels: &[Class]) -> Guess {
    let (first, second) = labels.split_at(labels.len() / 2);
    let mut followed: HashMap<(Class, Class), u32> = HashMap::new();
    for pair in first.windows(2) {
        *followed.entry((pair[0], pair[1])).or_default() += 1;
    }
    let mut usual: HashMap<Class, (u32, Class)> = HashMap::new();
    for ((before, after), times) in followed {
        let best = usual.entry(before).or_insert((times, after));
        *best = (*best).max((times, after));
    }
    let share = frequencies(second);
    let mut guess = Guess {
        hits: 0,
        trials: second.len() - 1,
        expected: 0.0,
    };
    for pair in second.windows(2) {
        if let Some(&(_, after)) = usual.get(&pair[0]) {
            guess.hits += usize::from(after == pair[1]);
            guess.expected += share.get(&after).copied().unwrap_or(0.0) / count(second.len());
        }
    }
    guess
}

/// What calls a class: its name, its id and its index, as [`words`].
fn phrases(classes: &ClassList) -> HashMap<Vec<String>, Class> {
    let mut phrases = HashMap::new();
    for (index, entry) in (0..).zip(classes.entries()) {
        phrases
            .entry(vec![index.to_string()])
            .or_insert(Class(index));
        for name in std::iter::once(&entry.name).chain(&entry.id) {
            phrases.insert(words(name), Class(index));
        }
    }
    phrases
}

/// The classes called by some stretch of up to four words of `text`.
fn classes_in(text: &str, phrases: &HashMap<Vec<String>, Class>) -> HashSet<Class> {
    let words = words(text);
    (1..=4)
        .flat_map(|length| words.windows(length))
        .filter_map(|phrase| phrases.get(phrase).copied())
        .collect()
}

/// The words and numbers of a name, in lower case: `Ankle_Boot-012.png` is ankle, boot, 012, png.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for character in text.chars().flat_map(char::to_lowercase) {
        let kind = character.is_alphanumeric().then(|| character.is_numeric());
        match (kind, words.last_mut()) {
            (Some(_), Some(word)) if kind == last => word.push(character),
            (Some(_), _) => words.push(character.to_string()),
            (None, _) => {}
        }
        last = kind;
    }
    words
}

/// Sorts `image-9` before `image-10`: numbers by value, which is by length once leading zeros are gone.
fn natural_key(name: &str) -> Vec<(bool, usize, String)> {
    let key = |word: String| {
        let number = word.starts_with(char::is_numeric);
        let word = if number {
            word.trim_start_matches('0').to_owned()
        } else {
            word
        };
        (!number, if number { word.len() } else { 0 }, word)
    };
    words(name).into_iter().map(key).collect()
}

/// A fixed order without pattern (the finaliser of `SplitMix64`).
fn scattered(image: usize) -> u64 {
    let mut x = (image as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn classes_of(truth: &[(usize, Class)]) -> Vec<Class> {
    truth.iter().map(|&(_, class)| class).collect()
}

fn frequencies(labels: &[Class]) -> HashMap<Class, f64> {
    let mut frequencies = HashMap::new();
    for &label in labels {
        *frequencies.entry(label).or_insert(0.0) += 1.0;
    }
    frequencies
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of images, far below 2^53"
)]
fn count(images: usize) -> f64 {
    images as f64
}

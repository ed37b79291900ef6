//! Names that say the class as the class list does: by its name, its id or its index.

use std::collections::{HashMap, HashSet};

use super::chance::Guess;
use super::learning::Sample;
use super::names::singular;
use super::order::Pieces;
use crate::classes::{Class, ClassList};

/// How often these texts, one an image of the sample, say the class; in other cases and numbers too, where `loosely`.
pub(super) fn says(sample: &Sample, texts: &[&str], classes: &ClassList, loosely: bool) -> Guess {
    let phrases = phrases(classes, loosely);
    let longest = phrases.keys().map(Vec::len).max().unwrap_or(0).min(4);
    let shares = super::chance::Shares::of(sample.classes.iter().copied());
    let mut guess = Guess {
        trials: sample.len(),
        guessed: sample.len(),
        ..Guess::default()
    };
    for (text, class) in texts.iter().zip(&sample.classes) {
        let words = words(text, loosely);
        let said: HashSet<Class> = (1..=longest)
            .flat_map(|length| words.windows(length))
            .filter_map(|phrase| phrases.get(phrase).copied())
            .collect();
        guess.hits += usize::from(said.contains(class));
        guess.expected += said.iter().map(|&class| shares.get(class)).sum::<f64>();
    }
    guess
}

/// What calls a class: its name, its id and its index, as [`words`].
fn phrases(classes: &ClassList, loosely: bool) -> HashMap<Vec<String>, Class> {
    let mut phrases = HashMap::new();
    for (index, entry) in (0..).zip(classes.entries()) {
        phrases
            .entry(vec![index.to_string()])
            .or_insert(Class(index));
        for name in std::iter::once(&entry.name).chain(&entry.id) {
            phrases.insert(words(name, loosely), Class(index));
        }
    }
    phrases
}

/// The words and numbers of a name, in lower case: `Ankle_Boot-012.png` is ankle, boot, 012, png.
fn words(text: &str, loosely: bool) -> Vec<String> {
    Pieces(text)
        .map(|(_, piece)| {
            let word = piece.to_lowercase();
            if loosely { singular(&word) } else { word }
        })
        .collect()
}

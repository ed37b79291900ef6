//! What a folder or file name may hold of the class: any part of it, at any place, as letters or as a number.

use super::chance::{EFFECT, Guess};
use super::learning::{ABSENT, Key, Learner, key};
use super::order::{Pieces, in_order};
use crate::classes::Class;

/// Parts of a name that are looked at, from either side.
const PARTS: usize = 10;
/// Places of characters, from either side, and how many of them together.
const PLACES: usize = 40;
const WIDTHS: std::ops::RangeInclusive<usize> = 1..=4;
/// Numbers of a name that are looked at, from either side.
const NUMBERS: usize = 4;

/// What tells the class best, and the words for it.
pub(super) struct Best {
    pub guess: Guess,
    pub what: String,
}

/// Keeps the guess that tells most; the plainer one, which comes first, where both tell about the same.
pub(super) fn offer(best: &mut Option<Best>, guess: Option<Guess>, what: impl FnOnce() -> String) {
    if let Some(guess) = guess
        && best
            .as_ref()
            .is_none_or(|best| guess.excess() > best.guess.excess() * 1.02)
    {
        *best = Some(Best {
            guess,
            what: what(),
        });
    }
}

/// Two ends of a name.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Right, Self::Left];

    fn pick<T: Copy>(self, parts: &[T], place: usize) -> Option<T> {
        match self {
            Self::Left => parts.get(place).copied(),
            Self::Right => parts.len().checked_sub(place + 1).map(|at| parts[at]),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Left => "",
            Self::Right => " from the end",
        }
    }
}

/// Whether these texts, each as a whole, tell the class.
pub(super) fn whole(learner: &mut Learner<'_>, texts: &[&str], what: &str) -> Option<Best> {
    let keys: Vec<Key> = texts.iter().map(|text| key(text.bytes())).collect();
    let what = what.to_owned();
    learner
        .by_key(&keys, EFFECT)
        .map(|guess| Best { guess, what })
}

/// What in these texts tells the class. `noun` is what they are: "file name", without its ending, or "folder".
pub(super) fn tell(
    learner: &mut Learner<'_>,
    texts: &[&str],
    noun: &str,
    classes: usize,
) -> Option<Best> {
    let mut best = whole(learner, texts, &format!("the {noun}"));
    parts(learner, texts, noun, &mut best);
    anywhere(learner, texts, noun, &mut best);
    lengths(learner, texts, noun, &mut best);
    characters(learner, texts, noun, &mut best);
    numbers(learner, texts, noun, classes, &mut best);
    best
}

/// Words between marks, and stretches of letters or of digits, counted from either end.
fn parts(learner: &mut Learner<'_>, texts: &[&str], noun: &str, best: &mut Option<Best>) {
    type Split = fn(&str) -> Vec<&str>;
    let splits: [(Split, &str); 2] = [(tokens, "part"), (runs, "stretch of letters or digits")];
    for (split, part) in splits {
        let pieces: Vec<Vec<&str>> = texts.iter().map(|text| split(text)).collect();
        for place in 0..PARTS {
            for side in Side::BOTH {
                let at = |pieces: &Vec<&str>| side.pick(pieces, place).map_or(ABSENT, word_key);
                let keys: Vec<Key> = pieces.iter().map(at).collect();
                let guess = learner.by_key(&keys, EFFECT);
                offer(best, guess, || {
                    let mut found = pieces.iter().zip(texts);
                    let example =
                        found.find_map(|(pieces, text)| Some((side.pick(pieces, place)?, *text)));
                    let (piece, text) = example.unwrap_or_default();
                    let shown = format!("`{}` in `{}`", shortened(piece), shortened(text));
                    let between = (part == "part")
                        .then(|| separator(&pieces, texts, side, place))
                        .flatten();
                    match between {
                        Some(mark) if place == 0 => {
                            let (before, end) = match side {
                                Side::Right => ("after", "last"),
                                Side::Left => ("before", "first"),
                            };
                            format!("the part of the {noun} {before} the {end} `{mark}` ({shown})")
                        }
                        _ => format!(
                            "{part} {} of the {noun}{} ({shown})",
                            place + 1,
                            side.words()
                        ),
                    }
                });
            }
        }
    }
}

/// The mark that parts the outermost word from the rest, where it is the same in all names that have one.
fn separator(pieces: &[Vec<&str>], texts: &[&str], side: Side, place: usize) -> Option<char> {
    let marks = pieces.iter().zip(texts).filter_map(|(pieces, text)| {
        let piece = side.pick(pieces, place).filter(|_| pieces.len() > 1)?;
        let at = piece.as_ptr() as usize - text.as_ptr() as usize;
        match side {
            Side::Right => text[..at].chars().next_back(),
            Side::Left => text[at + piece.len()..].chars().next(),
        }
    });
    let mut marks = marks.take(1000);
    let first = marks.next()?;
    marks.all(|mark| mark == first).then_some(first)
}

/// Words and stretches of three letters, wherever they stand.
fn anywhere(learner: &mut Learner<'_>, texts: &[&str], noun: &str, best: &mut Option<Best>) {
    let words: Vec<Vec<Key>> = texts
        .iter()
        .map(|text| {
            tokens(text)
                .into_iter()
                .chain(runs(text))
                .map(word_key)
                .collect()
        })
        .collect();
    offer(best, learner.by_any(&words, EFFECT), || {
        format!("a word of the {noun}")
    });
    let three = |text: &&str| {
        let lower: Vec<u8> = text
            .bytes()
            .map(|byte| byte.to_ascii_lowercase())
            .take(120)
            .collect();
        lower
            .windows(3)
            .map(|three| key(three.iter().copied()))
            .collect()
    };
    let threes: Vec<Vec<Key>> = texts.iter().map(three).collect();
    offer(best, learner.by_any(&threes, EFFECT), || {
        format!("some characters of the {noun}")
    });
}

fn lengths(learner: &mut Learner<'_>, texts: &[&str], noun: &str, best: &mut Option<Best>) {
    type Count = fn(&str) -> usize;
    let counted: [(Count, &str); 3] = [
        (|text| text.chars().count(), "the number of characters"),
        (|text| tokens(text).len(), "the number of parts"),
        (
            |text| text.chars().filter(|c| c.is_uppercase()).count(),
            "the number of capital letters",
        ),
    ];
    for (measure, what) in counted {
        let keys: Vec<Key> = texts.iter().map(|text| measure(text) as u64 + 1).collect();
        offer(best, learner.by_key(&keys, EFFECT), || {
            format!("{what} of the {noun}")
        });
    }
}

/// Up to four characters at a fixed place.
fn characters(learner: &mut Learner<'_>, texts: &[&str], noun: &str, best: &mut Option<Best>) {
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    for place in 0..PLACES.min(longest) {
        for width in WIDTHS {
            for side in Side::BOTH {
                let at = |text: &&str| {
                    let bytes = text.as_bytes();
                    let stretch = match side {
                        Side::Left => bytes.get(place..place + width),
                        Side::Right => bytes
                            .len()
                            .checked_sub(place + width)
                            .and_then(|start| bytes.get(start..start + width)),
                    };
                    stretch.map_or(ABSENT, |stretch| key(stretch.iter().copied()))
                };
                let keys: Vec<Key> = texts.iter().map(at).collect();
                offer(best, learner.by_key(&keys, EFFECT), || {
                    let end = side.words();
                    match width {
                        1 => format!("character {} of the {noun}{end}", place + 1),
                        _ => format!(
                            "characters {} to {} of the {noun}{end}",
                            place + 1,
                            place + width
                        ),
                    }
                });
            }
        }
    }
}

/// Numbers by their size, their remainder, and the images that they put side by side.
fn numbers(
    learner: &mut Learner<'_>,
    texts: &[&str],
    noun: &str,
    classes: usize,
    best: &mut Option<Best>,
) {
    let numbers: Vec<Vec<u64>> = texts
        .iter()
        .map(|text| {
            Pieces(text)
                .filter(|(is_number, _)| *is_number)
                .filter_map(|(_, digits)| digits.parse().ok())
                .collect()
        })
        .collect();
    for place in 0..NUMBERS {
        for side in Side::BOTH {
            let values: Vec<Option<u64>> = numbers
                .iter()
                .map(|numbers| side.pick(numbers, place))
                .collect();
            let what = || format!("number {} of the {noun}{}", place + 1, side.words());
            if let Some((guess, how)) = learner.by_number(&values, classes) {
                offer(best, Some(guess), || format!("{}, by {how},", what()));
            }
            if let Some(guess) = sorted_by(learner, &values) {
                offer(best, Some(guess), || {
                    format!("the image before, when sorted by {},", what())
                });
            }
        }
    }
}

/// What the order of these numbers tells; equal ones stand in an order that says nothing.
pub(super) fn sorted_by(learner: &mut Learner<'_>, values: &[Option<u64>]) -> Option<Guess> {
    let mut order: Vec<(u64, u64, Class)> = values
        .iter()
        .zip(&learner.sample.classes)
        .enumerate()
        .filter_map(|(image, (value, &class))| {
            value.map(|value| (value, super::learning::scattered(image), class))
        })
        .collect();
    if order.len() * 2 < values.len() {
        return None;
    }
    order.sort_unstable();
    if order.first().map(|first| first.0) == order.last().map(|last| last.0) {
        return None;
    }
    let labels: Vec<Class> = order.into_iter().map(|(_, _, class)| class).collect();
    let budget = &mut *learner.budget;
    in_order(&labels, EFFECT, || budget.next()).map(|told| told.guess)
}

/// Between anything that is neither letter nor digit.
fn tokens(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|token| !token.is_empty())
        .collect()
}

/// Letters and digits apart.
fn runs(text: &str) -> Vec<&str> {
    Pieces(text).map(|(_, piece)| piece).collect()
}

/// The same for a word in any case, in the singular and in the plural.
pub(super) fn word_key(word: &str) -> Key {
    key(singular(&word.to_lowercase()).bytes())
}

/// The singular of an English word in lower case, as far as its ending tells: `cats`, `boxes`, `berries`. Other words may lose a letter,
/// the same for all.
pub(super) fn singular(word: &str) -> String {
    let sibilant = |stem: &str| {
        ["s", "x", "z", "ch", "sh"]
            .iter()
            .any(|end| stem.ends_with(end))
    };
    if word.len() > 3 {
        if let Some(stem) = word.strip_suffix("ies") {
            return format!("{stem}y");
        }
        if let Some(stem) = word.strip_suffix("es").filter(|stem| sibilant(stem)) {
            return stem.to_owned();
        }
        if let Some(stem) = word.strip_suffix('s').filter(|stem| !stem.ends_with('s')) {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    let start: String = text.chars().take(59).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_their_singulars() {
        for (plural, one) in [
            ("cats", "cat"),
            ("boxes", "box"),
            ("berries", "berry"),
            ("glasses", "glass"),
            ("dishes", "dish"),
        ] {
            assert_eq!(singular(plural), one);
            assert_eq!(singular(one), one);
        }
    }
}

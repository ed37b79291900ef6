//! Learns on one half of the images which class goes with what is seen of them, and guesses the other half.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::chance::{Budget, EFFECT, Guess, Shares, count};
use crate::classes::Class;

/// So many images are looked at; of more, as many that are spread over all. It bounds time and memory, and is far more than what
/// matters needs.
const LARGEST_SAMPLE: usize = 1 << 16;

/// What a feature is in an image; [`ABSENT`] where the image has none, which may tell as much.
pub(super) type Key = u64;
pub(super) const ABSENT: Key = 0;

/// Images in two random halves.
pub struct Sample {
    /// Ordinals, ascending.
    pub(super) images: Vec<usize>,
    pub(super) classes: Vec<Class>,
    is_second: Vec<bool>,
    /// How frequent the classes are in each half.
    shares: [Shares; 2],
    number_of_classes: usize,
    is_whole: bool,
}

/// Ordinals of the images that are looked at closely, among this many.
pub fn sampled(images: usize) -> impl Iterator<Item = usize> {
    let (images_64, sample) = (images as u128, LARGEST_SAMPLE as u128);
    let limit = (sample << 64) / images_64.max(1);
    (0..images)
        .filter(move |&image| images <= LARGEST_SAMPLE || u128::from(scattered(image)) < limit)
}

impl Sample {
    /// Of the images with a label.
    pub(super) fn of(truth: &[(usize, Class)], images: usize, classes: usize) -> Self {
        let mut labelled = truth.iter().copied().peekable();
        let mut sample = Self {
            images: Vec::new(),
            classes: Vec::new(),
            is_second: Vec::new(),
            shares: [Shares::default(), Shares::default()],
            number_of_classes: classes,
            is_whole: images <= LARGEST_SAMPLE,
        };
        for image in sampled(images) {
            while labelled
                .next_if(|&(labelled, _)| labelled < image)
                .is_some()
            {}
            if let Some((_, class)) = labelled.next_if(|&(labelled, _)| labelled == image) {
                sample.images.push(image);
                sample.classes.push(class);
                sample.is_second.push(scattered(!image) & 1 == 1);
            }
        }
        sample.shares = [false, true].map(|second| Shares::of(sample.half(second)));
        sample
    }

    fn half(&self, second: bool) -> impl Iterator<Item = Class> {
        let halves = self.classes.iter().zip(&self.is_second);
        halves
            .filter(move |&(_, &is_second)| is_second == second)
            .map(|(&class, _)| class)
    }

    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// Of how many images it tells, as a sentence ends.
    pub(super) fn of_images(&self, trials: usize) -> String {
        if self.is_whole {
            format!("of {trials} images")
        } else {
            format!("of {trials} images looked at")
        }
    }

    /// How `rule`, learnt on the one half, does on the other; `part` is what an image shows.
    fn judge(&self, second: bool, rule: &Rule, part: impl Fn(usize) -> Option<usize>) -> Guess {
        let shares = &self.shares[usize::from(second)];
        let mut guess = Guess::default();
        for image in (0..self.len()).filter(|&image| self.is_second[image] == second) {
            let (class, part) = (self.classes[image], part(image));
            guess.trials += 1;
            guess.likelihood += (rule.probability(part, class) / shares.get(class)).ln();
            if let Some(usual) = part.and_then(|part| rule.usual(part)) {
                guess.guessed += 1;
                guess.hits += usize::from(usual == class);
                guess.expected += shares.get(usual);
            }
        }
        guess
    }

    /// What half of the images teaches: of each part of them, which classes they have. An image may be in several.
    fn learn(&self, second: bool, parts: usize, of: impl Fn(usize, &mut Vec<u64>)) -> Rule {
        let mut pairs = Vec::new();
        let mut seen = Vec::new();
        for image in (0..self.len()).filter(|&image| self.is_second[image] == second) {
            of(image, &mut seen);
            let class = u64::from(self.classes[image].0);
            pairs.extend(seen.drain(..).map(|part| part << 16 | class));
        }
        pairs.sort_unstable();
        let mut rule = Rule {
            parts: vec![Part::default(); parts],
            pairs: Vec::new(),
            shares: self.shares[usize::from(second)].clone(),
            classes: self.number_of_classes,
        };
        for of_part in pairs.chunk_by(|a, b| a >> 16 == b >> 16) {
            let total = count(of_part.len());
            for same in of_part.chunk_by(|a, b| a == b) {
                let (part, class) = unpack(same[0]);
                let chance = rule.shares.get(class);
                let deviation = (count(same.len()) - total * chance)
                    / (total * chance * (1.0 - chance) + 0.25).sqrt();
                let part = &mut rule.parts[part];
                part.images = of_part.len();
                if same.len() > part.most {
                    (part.most, part.usual) = (same.len(), Some(class));
                }
                if part.striking.is_none_or(|(most, _)| deviation > most) {
                    part.striking = Some((deviation, class));
                }
            }
        }
        rule.pairs = pairs;
        rule
    }
}

/// What goes with what, learnt on one half.
struct Rule {
    parts: Vec<Part>,
    /// Part and class of each image, sorted.
    pairs: Vec<u64>,
    shares: Shares,
    classes: usize,
}

#[derive(Clone, Default)]
struct Part {
    images: usize,
    most: usize,
    usual: Option<Class>,
    /// The class that it goes best with, and by how many standard deviations.
    striking: Option<(f64, Class)>,
}

impl Rule {
    fn usual(&self, part: usize) -> Option<Class> {
        self.parts.get(part)?.usual
    }

    /// How probable a class is for an image of this part: as often as it was seen, drawn by one image towards what it is elsewhere.
    fn probability(&self, part: Option<usize>, class: Class) -> f64 {
        let everywhere = self.shares.smoothed(class, self.classes);
        let Some(part) = part.filter(|&part| part < self.parts.len()) else {
            return everywhere;
        };
        let pair = (part as u64) << 16 | u64::from(class.0);
        let start = self.pairs.partition_point(|&other| other < pair);
        let seen = self.pairs[start..].partition_point(|&other| other == pair);
        (count(seen) + everywhere) / (count(self.parts[part].images) + 1.0)
    }
}

/// Tries one feature after the other, of one kind.
pub(super) struct Learner<'a> {
    pub sample: &'a Sample,
    pub budget: &'a mut Budget,
    /// Features that part the images as an earlier one does are not tried again.
    seen: HashSet<u64>,
}

impl<'a> Learner<'a> {
    pub fn new(sample: &'a Sample, budget: &'a mut Budget) -> Self {
        Self {
            sample,
            budget,
            seen: HashSet::new(),
        }
    }

    /// Guesses the class that the images with the same key mostly have. What holds for both halves is returned if it is a finding on the
    /// second.
    pub fn by_key(&mut self, keys: &[Key], effect: f64) -> Option<Guess> {
        let (parts, kinds) = self.parts(keys)?;
        let sample = self.sample;
        self.judge(effect, |second| {
            let rule = sample.learn(second, kinds, |image, seen| seen.push(parts[image].into()));
            sample.judge(!second, &rule, |image| {
                let part = parts[image] as usize;
                rule.usual(part).map(|_| part)
            })
        })
    }

    fn judge(&mut self, effect: f64, learnt_on: impl Fn(bool) -> Guess) -> Option<Guess> {
        let judged = learnt_on(false);
        if judged.guessed == 0 {
            return None;
        }
        let is_finding = judged.gives_away(effect, self.budget.next());
        let whole = is_finding.then(|| judged.and(learnt_on(true)))?;
        whole.matters(effect).then_some(whole)
    }

    /// The keys numbered by first occurrence, and their number; none where all images have the same, or none the same, or where an
    /// earlier feature said it.
    fn parts(&mut self, keys: &[Key]) -> Option<(Vec<u32>, usize)> {
        let mut numbers: HashMap<Key, u32, Spread> = HashMap::default();
        let mut fingerprint = Mix::default();
        let parts: Vec<u32> = keys
            .iter()
            .map(|&key| {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(key).or_insert(next);
                fingerprint.write_u32(number);
                number
            })
            .collect();
        let kinds = numbers.len();
        let tells = kinds > 1 && kinds < keys.len();
        (tells && self.seen.insert(fingerprint.finish())).then_some((parts, kinds))
    }

    /// The same for images of which any number of things are seen: the one that goes best with a class speaks.
    pub fn by_any(&mut self, seen: &[Vec<Key>], effect: f64) -> Option<Guess> {
        let mut numbers: HashMap<Key, u32, Spread> = HashMap::default();
        let numbered: Vec<Vec<u32>> = seen
            .iter()
            .map(|keys| {
                let mut parts: Vec<u32> = keys
                    .iter()
                    .map(|&key| {
                        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                        *numbers.entry(key).or_insert(next)
                    })
                    .collect();
                parts.sort_unstable();
                parts.dedup();
                parts
            })
            .collect();
        let sample = self.sample;
        self.judge(effect, |second| {
            let mut rule = sample.learn(second, numbers.len(), |image, seen| {
                seen.extend(numbered[image].iter().map(|&part| u64::from(part)));
            });
            for part in &mut rule.parts {
                part.usual = part.striking.map(|(_, class)| class);
            }
            let deviation = |part: usize| rule.parts[part].striking.map(|(most, _)| most);
            sample.judge(!second, &rule, |image| {
                let parts = numbered[image].iter().map(|&part| part as usize);
                let known = parts.filter_map(|part| Some((deviation(part)?, part)));
                let best = known.max_by(|a, b| a.0.total_cmp(&b.0));
                best.map(|(_, part)| part)
            })
        })
    }

    /// What numbers may tell other than one by one: where they stand among the others, and what remains of them.
    pub fn by_number(
        &mut self,
        numbers: &[Option<u64>],
        classes: usize,
    ) -> Option<(Guess, String)> {
        let mut best: Option<(Guess, String)> = None;
        let mut offer = |guess: Option<Guess>, how: String| {
            if let Some(guess) = guess
                && best
                    .as_ref()
                    .is_none_or(|(best, _)| guess.excess() > best.excess() * 1.02)
            {
                best = Some((guess, how));
            }
        };
        let mut sorted: Vec<u64> = numbers.iter().flatten().copied().collect();
        sorted.sort_unstable();
        if sorted.len() * 2 < numbers.len() || sorted.first() == sorted.last() {
            return None;
        }
        for bins in [2, 8, 32, 128, 1024] {
            let bin =
                |value: u64| sorted.partition_point(|&other| other < value) * bins / sorted.len();
            let keys: Vec<Key> = numbers
                .iter()
                .map(|value| value.map_or(ABSENT, |value| bin(value) as u64 + 1))
                .collect();
            offer(self.by_key(&keys, EFFECT), "its size".to_owned());
        }
        let moduli = (2..=32).chain(
            [classes as u64, 2 * classes as u64]
                .into_iter()
                .filter(|&m| m > 32 && m < 1 << 16),
        );
        for modulus in moduli {
            let keys: Vec<Key> = numbers
                .iter()
                .map(|value| value.map_or(ABSENT, |value| value % modulus + 1))
                .collect();
            offer(
                self.by_key(&keys, EFFECT),
                format!("its remainder of {modulus}"),
            );
        }
        best
    }
}

fn unpack(pair: u64) -> (usize, Class) {
    let class = u16::try_from(pair & 0xffff).unwrap_or(u16::MAX);
    (
        usize::try_from(pair >> 16).unwrap_or(usize::MAX),
        Class(class),
    )
}

/// A fixed order without pattern (the finaliser of `SplitMix64`).
pub(super) fn scattered(image: usize) -> u64 {
    mixed((image as u64).wrapping_add(0x9e37_79b9_7f4a_7c15))
}

fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The key of something: never [`ABSENT`].
pub(super) fn key(bytes: impl IntoIterator<Item = u8>) -> Key {
    let mut mix = Mix::default();
    for byte in bytes {
        mix.write_u8(byte);
    }
    mix.finish() | 1
}

/// FNV-1a, mixed at the end: fast on the few bytes of a key. Nobody gains by collisions, which only blur.
pub(super) struct Mix(u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = mixed(self.0 ^ u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mixed(self.0 ^ number);
    }

    fn finish(&self) -> u64 {
        mixed(self.0)
    }
}

type Spread = BuildHasherDefault<Mix>;

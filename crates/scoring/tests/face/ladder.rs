//! The Ladder's published example, and the two known attacks on it.

use proptest::prelude::*;
use referee_scoring::Ladder;
use referee_scoring::ladder::told;
use referee_scoring::outcome::Tally;

/// A team's board: its last accepted submission, compared with each new one. Labels and guesses are 0 or 1.
struct Board<'l> {
    labels: &'l [bool],
    ladder: Ladder,
    best: Option<Vec<bool>>,
}

impl<'l> Board<'l> {
    fn new(labels: &'l [bool], ladder: Ladder) -> Self {
        Self {
            labels,
            ladder,
            best: None,
        }
    }

    /// The errors the board shows after this submission, and whether it moved.
    fn submit(&mut self, guesses: &[bool]) -> (usize, bool) {
        let accepted = self.best.as_ref().is_none_or(|best| {
            let count = |from: bool| {
                let changed =
                    |((label, old), new)| (label == old) != from && (label == new) == from;
                self.labels
                    .iter()
                    .zip(best)
                    .zip(guesses)
                    .filter(|&x| changed(x))
                    .count()
            };
            let [fixed, broken, images] = [count(true), count(false), self.labels.len()]
                .map(|n| u32::try_from(n).expect("small"));
            self.ladder.accepts(fixed, broken, images)
        });
        if accepted {
            self.best = Some(guesses.to_vec());
        }
        (
            errors(
                self.labels,
                self.best.as_deref().expect("the first is accepted"),
            ),
            accepted,
        )
    }
}

fn errors(labels: &[bool], guesses: &[bool]) -> usize {
    labels
        .iter()
        .zip(guesses)
        .filter(|(label, guess)| label != guess)
        .count()
}

fn bits(text: &str) -> Vec<bool> {
    text.bytes().map(|byte| byte == b'1').collect()
}

/// The example in the README of the authors' Ladder.jl.
#[test]
fn readme_example() {
    let labels = bits("101110");
    let mut board = Board::new(&labels, Ladder::default());
    assert_eq!(board.submit(&bits("000000")), (4, true));
    assert_eq!(board.submit(&bits("100000")), (4, false));
    assert_eq!(board.submit(&bits("101000")), (2, true));
}

/// Xorshift: the attacks need coins that are the same in every run.
struct Coins(u64);

impl Coins {
    fn vector(&mut self, n: usize) -> Vec<bool> {
        (0..n)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                self.0 >> 40 & 1 == 1
            })
            .collect()
    }
}

/// The majority of the kept guesses, per image.
fn majority(kept: &[Vec<bool>], n: usize) -> Vec<bool> {
    (0..n)
        .map(|image| 2 * kept.iter().filter(|guesses| guesses[image]).count() > kept.len())
        .collect()
}

/// Blum and Hardt's boosting attack with n = 4000, k = 400: expected loss 1/2 − 0.2251·√(k/n) = 0.4288 on a plain board, about 0.485 on
/// the Ladder, 1/2 on fresh labels.
#[test]
fn boosting_attack_is_blunted() {
    let (n, k) = (4000, 400);
    let mut coins = Coins(2015);
    let (labels, fresh) = (coins.vector(n), coins.vector(n));
    let mut board = Board::new(&labels, Ladder::default());
    let (mut plain, mut lowered) = (Vec::new(), Vec::new());
    for _ in 0..k {
        let guesses = coins.vector(n);
        if 2 * errors(&labels, &guesses) <= n {
            plain.push(guesses.clone());
        }
        if board.submit(&guesses).1 {
            lowered.push(guesses);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 4000")]
    let loss = |labels: &[bool], guesses: &[bool]| errors(labels, guesses) as f64 / n as f64;
    let boosted = majority(&plain, n);
    assert!(
        (loss(&labels, &boosted) - 0.4288).abs() < 0.012,
        "{}",
        loss(&labels, &boosted)
    );
    assert!((loss(&fresh, &boosted) - 0.5).abs() < 0.025);
    assert!(loss(&labels, &majority(&lowered, n)) > 0.47);
}

/// Flip two labels at a time and keep what is accepted.
fn pair_flip_attack(n: usize, ladder: Ladder) -> usize {
    let mut coins = Coins(1607);
    let labels = coins.vector(n);
    let mut board = Board::new(&labels, ladder);
    let mut guesses = coins.vector(n);
    let mut shown = board.submit(&guesses).0;
    for pair in 0..n / 2 {
        guesses[2 * pair] ^= true;
        guesses[2 * pair + 1] ^= true;
        let (errors, accepted) = board.submit(&guesses);
        shown = errors;
        if !accepted {
            guesses[2 * pair] ^= true;
            guesses[2 * pair + 1] ^= true;
        }
    }
    shown
}

/// Half the images as queries: with the paper's rule the error falls from 0.5 to about 0.25; a stricter rule, or a floor, holds.
#[test]
fn pair_flip_attack_needs_a_stricter_ladder() {
    let n = 1000;
    let paper = pair_flip_attack(n, Ladder::default());
    assert!((220..280).contains(&paper), "{paper}");
    let strict = pair_flip_attack(
        n,
        Ladder {
            z: 3.0,
            min_gain: 0.0,
        },
    );
    assert!((450..550).contains(&strict), "{strict}");
    let floor = pair_flip_attack(
        n,
        Ladder {
            z: 1.0,
            min_gain: 0.1,
        },
    );
    assert!((450..550).contains(&floor), "{floor}");
}

/// 6.656 % of 100,000 are 6.7 %; of 500 images each is 0.2 %.
#[test]
fn a_ladder_tells_thousandths() {
    for (images, misses, told_misses) in [
        (100_000, 6_656, 6_700),
        (100_000, 6_649, 6_600),
        (100_000, 100_000, 100_000),
        (3_000, 1, 0),
        (3_000, 2, 3),
        (500, 33, 33),
    ] {
        let score = Tally {
            images,
            top1_misses: misses,
            top5_misses: misses,
        };
        let told = told(score);
        assert_eq!(
            (told.top1_misses, told.top5_misses),
            (told_misses, told_misses),
            "{misses} of {images}"
        );
    }
}

proptest! {
    /// The rule as the paper states it: the mean falls by more than the standard deviation of the paired differences over √n.
    #[test]
    fn integer_rule_is_the_paired_t_step(fixed in 0_u32..200, broken in 0_u32..200, unchanged in 0_u32..2000) {
        let n = fixed + broken + unchanged;
        prop_assume!(n > 1);
        let (b, c, images) = (f64::from(fixed), f64::from(broken), f64::from(n));
        let mean = (c - b) / images;
        let variance = (b * (-1.0 - mean).powi(2) + c * (1.0 - mean).powi(2) + f64::from(unchanged) * mean.powi(2)) / (images - 1.0);
        let margin = -mean - (variance / images).sqrt();
        // Where both sides are equal but for rounding, only integers can decide.
        prop_assume!(margin.abs() > 1e-12);
        let exact = (b - c).powi(2) > b + c && b > c;
        prop_assert_eq!(Ladder::default().accepts(fixed, broken, n), exact);
        prop_assert_eq!(exact, margin > 0.0);
    }
}

//! Whether a test set gives its labels away by its names, its order, its archive or its pictures' metadata.
//!
//! Every check is a guess that anyone could make without looking at a picture ("the folder says so", "the same class as the image
//! before", "pictures with this in their names mostly are of that class"), counted on the real labels. What goes with a class is learnt on
//! one half of the images and judged on the other. A finding needs both: more hits than chance gives, and enough of them to matter, one
//! in twenty of those that chance leaves open.
//!
//! Chance: of test sets whose labels have nothing to do with all this, fewer than one in a million has a finding (`leaks/chance.rs`).

mod chance;
mod learning;
mod names;
mod order;
mod pictures;
mod said;

use crate::classes::{Class, ClassList};
use crate::image_files::{PictureFile, Traits};
use crate::images::ImageList;
use crate::labels::Labels;
use chance::{Budget, EFFECT, Guess, KNOWN};
pub use learning::sampled;
use learning::{Learner, Sample};
use names::Best;
use order::Told;
pub use order::{RunsTest, runs_test};

/// Pictures of one class compress alike, so that file sizes always tell something. What matters is when they tell half.
const EFFECT_OF_SIZES: f64 = 0.5;

/// What is public about a test set, with its labels.
#[derive(Clone, Copy)]
pub struct TestSet<'a> {
    pub labels: &'a Labels,
    pub classes: &'a ClassList,
    pub images: &'a ImageList,
    /// By ordinal, where the images are files.
    pub files: Option<&'a [PictureFile]>,
    /// By ordinal, of the images that [`sampled`] names at least.
    pub traits: &'a [(usize, Traits)],
}

/// Where labels can be read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Folders,
    FileNames,
    Order,
    Endings,
    Archive,
    Times,
    Owners,
    Formats,
    Metadata,
    /// Of the pictures themselves; a notice.
    Sizes,
    Dimensions,
    Coding,
}

impl Kind {
    /// The subject of a sentence that says no more.
    fn noun(self) -> &'static str {
        match self {
            Self::Folders => "folders give",
            Self::FileNames => "file names give",
            Self::Order => "the order of the images gives",
            Self::Endings => "the endings of the file names give",
            Self::Archive => "the order of the files in the archive gives",
            Self::Times => "the files' times of change in the archive give",
            Self::Owners => "the files' owners in the archive give",
            Self::Formats => "the pictures' formats give",
            Self::Metadata => "the pictures' metadata gives",
            Self::Sizes => "file sizes give",
            Self::Dimensions => "the pictures' sizes in pixels give",
            Self::Coding => "the way the pictures are coded gives",
        }
    }
}

/// Of how many images the class can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Some,
    Most,
    All,
}

impl Amount {
    fn of(guess: &Guess) -> Self {
        match guess.hits * 1000 / guess.trials.max(1) {
            990.. => Self::All,
            500.. => Self::Most,
            _ => Self::Some,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Some => "some",
            Self::Most => "most",
            Self::All => "all",
        }
    }
}

/// One way to tell labels without looking at pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub kind: Kind,
    pub amount: Amount,
    /// What tells the class, and how well. For those who have the labels only.
    pub clause: String,
}

/// What was found in a test set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// To be mended before others may see the images.
    pub leaks: Vec<Leak>,
    /// What lies in the pictures themselves.
    pub notices: Vec<Leak>,
}

/// Ways that a sentence names.
const NAMED: usize = 3;

impl Findings {
    /// How the labels can be told and what to do about it, for who has them; none where they cannot be.
    pub fn sentence(&self) -> Option<String> {
        let clauses: Vec<&str> = self
            .leaks
            .iter()
            .take(NAMED)
            .map(|leak| leak.clause.as_str())
            .collect();
        (!clauses.is_empty()).then(|| {
            format!(
                "{}: run `referee challenge shuffle DIR` first, or pass --known-labels if these labels are public anyway",
                clauses.join("; ")
            )
        })
    }

    /// The same without a figure or a name, so that nobody learns labels by asking with names of their own making.
    pub fn public_sentence(&self) -> Option<String> {
        let leak = self.leaks.first()?;
        Some(format!(
            "{} the labels of {} images away: run `referee challenge shuffle DIR` first (`referee challenge check DIR` says what tells them), \
             or pass --known-labels if these labels are public anyway",
            leak.kind.noun(),
            leak.amount.word(),
        ))
    }

    /// Notices as sentences.
    pub fn notice_sentences(&self) -> impl Iterator<Item = String> {
        self.notices.iter().map(|notice| {
            format!(
                "{}; this lies in the pictures themselves, and shuffling leaves it as it is",
                notice.clause
            )
        })
    }

    fn add(&mut self, kind: Kind, guess: &Guess, clause: String) {
        let leak = Leak {
            kind,
            amount: Amount::of(guess),
            clause,
        };
        match kind {
            Kind::Sizes | Kind::Dimensions | Kind::Coding => self.notices.push(leak),
            _ => self.leaks.push(leak),
        }
    }

    fn add_best(&mut self, kind: Kind, sample: &Sample, best: Option<Best>) {
        if let Some(Best { guess, what }) = best {
            let Guess {
                hits,
                trials,
                expected,
                ..
            } = guess;
            let of_images = sample.of_images(trials);
            self.add(
                kind,
                &guess,
                format!("{what} tells the class of {hits} {of_images}, {expected:.0} by chance"),
            );
        }
    }
}

/// Looks for all that tells labels. Of an image with several labels the first is looked at, skipped ones are left out.
///
/// # Panics
/// If labels, images and files are not of the same number.
pub fn findings<'a>(set: &TestSet<'a>) -> Findings {
    assert_eq!(
        set.labels.len(),
        set.images.len(),
        "labels and images are of the same test set"
    );
    let truth: Vec<(usize, Class)> = (0..set.labels.len())
        .filter_map(|image| set.labels.get(image).first().map(|&class| (image, class)))
        .collect();
    let sample = Sample::of(&truth, set.images.len(), set.classes.len());
    let mut found = Findings::default();
    let names: Option<Vec<Name<'a>>> = set.images.names().map(|names| {
        sample
            .images
            .iter()
            .map(|&image| Name::of(&names[image]))
            .collect()
    });
    if let Some(names) = &names {
        said(&sample, names, set.classes, &mut found);
    }
    order(&truth, set.images.names(), &mut found);
    let is_in_order = found.leaks.iter().any(|leak| leak.kind == Kind::Order);
    let mut budget = Budget::default();
    // Of each kind by itself, so that one that the pictures themselves hold does not hide another.
    let mut learn = |kind: Kind, tell: &dyn Fn(&mut Learner<'_>) -> Option<Best>| {
        let best = tell(&mut Learner::new(&sample, &mut budget));
        found.add_best(kind, &sample, best);
    };
    let classes = set.classes.len();
    if !is_in_order {
        learn(Kind::Order, &|learner| pictures::ordinals(learner, classes));
    }
    if let Some(files) = set.files {
        assert_eq!(
            files.len(),
            set.images.len(),
            "files are of the same test set"
        );
        learn(Kind::Archive, &|learner| {
            pictures::places(learner, files, classes)
        });
        learn(Kind::Times, &|learner| {
            pictures::times(learner, files, classes)
        });
        learn(Kind::Owners, &|learner| pictures::owners(learner, files));
        let traits = pictures::of_images(&sample.images, set.traits);
        learn(Kind::Formats, &|learner| {
            pictures::formats(learner, &traits)
        });
        learn(Kind::Metadata, &|learner| {
            pictures::metadata(learner, &traits)
        });
        learn(Kind::Dimensions, &|learner| {
            pictures::dimensions(learner, &traits)
        });
        learn(Kind::Coding, &|learner| pictures::codings(learner, &traits));
    }
    if let Some(names) = &names {
        let of =
            |part: fn(&Name<'a>) -> &'a str| -> Vec<&'a str> { names.iter().map(part).collect() };
        let (endings, folders, stems) = (
            of(|name| name.ending),
            of(|name| name.folder),
            of(|name| name.stem),
        );
        learn(Kind::Endings, &|learner| {
            names::whole(learner, &endings, "the ending of the file name")
        });
        learn(Kind::Folders, &|learner| {
            names::tell(learner, &folders, "folder", classes)
        });
        learn(Kind::FileNames, &|learner| {
            names::tell(learner, &stems, "file name", classes)
        });
    }
    if let Some(told) = set.files.and_then(|files| sizes(&truth, files)) {
        let clause = format!(
            "the file sizes, when sorted, give the labels away: {}",
            told.how
        );
        found.add(Kind::Sizes, &told.guess, clause);
    }
    found
}

/// The parts of an image's name.
struct Name<'a> {
    folder: &'a str,
    file: &'a str,
    /// The file without its ending.
    stem: &'a str,
    ending: &'a str,
}

impl<'a> Name<'a> {
    fn of(name: &'a str) -> Self {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let (stem, ending) = file.rsplit_once('.').unwrap_or((file, ""));
        Self {
            folder,
            file,
            stem,
            ending,
        }
    }
}

/// Names that say the class as the class list does.
fn said(sample: &Sample, names: &[Name<'_>], classes: &ClassList, found: &mut Findings) {
    let folders: Vec<&str> = names.iter().map(|name| name.folder).collect();
    let files: Vec<&str> = names.iter().map(|name| name.file).collect();
    for (kind, texts) in [(Kind::Folders, folders), (Kind::FileNames, files)] {
        let strict_and_loose =
            [false, true].map(|loosely| said::says(sample, &texts, classes, loosely));
        let said = strict_and_loose
            .into_iter()
            .find(|guess| guess.hits_give_away(EFFECT, KNOWN));
        if let Some(guess) = said {
            let of_images = sample.of_images(guess.trials);
            let what = kind.noun();
            found.add(
                kind,
                &guess,
                format!(
                    "{what} the labels away: {} {of_images} are named after their class",
                    guess.hits
                ),
            );
            return;
        }
    }
}

/// The order as given, and that of sorted names.
fn order(truth: &[(usize, Class)], names: Option<&[String]>, found: &mut Findings) {
    let told = |truth: &[(usize, Class)]| order::in_order(&classes_of(truth), EFFECT, || KNOWN);
    if let Some(Told { guess, how }) = told(truth) {
        return found.add(
            Kind::Order,
            &guess,
            format!("the order of the images gives the labels away: {how}"),
        );
    }
    let Some(names) = names else { return };
    let sorted = |by: fn(&str, &str) -> std::cmp::Ordering| {
        let order = |a: &(usize, Class), b: &(usize, Class)| by(&names[a.0], &names[b.0]);
        if truth.is_sorted_by(|a, b| order(a, b).is_le()) {
            return None;
        }
        let mut sorted = truth.to_vec();
        sorted.sort_by(order);
        told(&sorted)
    };
    let bytes = |a: &str, b: &str| a.cmp(b);
    if let Some(Told { guess, how }) = sorted(bytes).or_else(|| sorted(order::natural)) {
        found.add(
            Kind::FileNames,
            &guess,
            format!("the names, when sorted, give the labels away: {how}"),
        );
    }
}

fn sizes(truth: &[(usize, Class)], files: &[PictureFile]) -> Option<Told> {
    let mut by_size = truth.to_vec();
    // Files of the same size say nothing, so they may not stay in an order that does.
    by_size.sort_by_key(|&(image, _)| (files[image].size, learning::scattered(image)));
    order::in_order(&classes_of(&by_size), EFFECT_OF_SIZES, || KNOWN)
}

fn classes_of(truth: &[(usize, Class)]) -> Vec<Class> {
    truth.iter().map(|&(_, class)| class).collect()
}

//! `challenge.toml`: a challenge as a directory of files.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use referee_client::documents::{
    AfterClose, ChallengeSettings, Class, ImageOrder, LeaderboardSettings, Limits, Rules, Schedule,
    TestSettings, parse_moment,
};
use referee_networks::images::TestSet;
use referee_scoring::image_order::fault_of_unsaid_order;
use referee_scoring::leaks::Findings;
use referee_scoring::{
    ClassList, ClassListError, ImageList, LabelFile, Labels, Notice, TestImages, WiderClasses,
    image_files, leaks, split,
};
use serde::Deserialize;
use toml::Spanned;

use crate::commands::challenge::pack::Packed;
use crate::output::WrongFile;

pub const FILE_NAME: &str = "challenge.toml";

/// `challenge.toml` as it is written. Paths are relative to its directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub slug: String,
    pub title: String,
    pub series: Option<String>,
    pub description: Option<PathBuf>,
    pub classes: PathBuf,
    pub test: Test,
    pub validation: Option<Validation>,
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    #[serde(default)]
    pub schedule: Dates,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub leaderboard: LeaderboardSettings,
    #[serde(default)]
    pub rules: Rules,
    #[serde(default)]
    pub access: Access,
}

/// `[test]`. The spans say where to write other names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub images: Option<Spanned<PathBuf>>,
    pub labels: Spanned<PathBuf>,
    pub wider_classes: Option<PathBuf>,
    /// Must be said where the two orders of the images' names differ.
    pub order: Option<ImageOrder>,
    #[serde(default = "yes")]
    pub public_images: bool,
}

fn yes() -> bool {
    TestSettings::default().public_images
}

/// `[validation]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    pub images: PathBuf,
    pub labels: PathBuf,
}

/// `[schedule]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dates {
    pub opens: Option<Moment>,
    pub closes: Option<Moment>,
    pub after_close: AfterClose,
}

/// RFC 3339 in quotation marks, or TOML's own date, which is the same without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Moment(DateTime<Utc>);

impl TryFrom<toml::Value> for Moment {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let text = match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        parse_moment(&text).map(Self)
    }
}

/// `[access]`: everyone may see a challenge; more is for later.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    pub visibility: Visibility,
    pub terms: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    #[default]
    Public,
}

impl Manifest {
    /// Reads `challenge.toml`; what is wrong is reported with its line.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error| {
            let message = error.message().trim_end_matches('.').replace('\n', " ");
            match error.span() {
                Some(Range { start, .. }) => {
                    let line = text[..start.min(text.len())].matches('\n').count() + 1;
                    anyhow::anyhow!("{FILE_NAME}, line {line}: {message}")
                }
                None => anyhow::anyhow!("{FILE_NAME}: {message}"),
            }
        })
    }
}

/// A challenge's directory, read and checked: everything that uploading it would find out.
pub struct ChallengeDirectory {
    pub path: PathBuf,
    pub text: String,
    pub manifest: Manifest,
    pub settings: ChallengeSettings,
    pub classes: ClassList,
    pub wider: Option<WiderClasses>,
    pub images: Option<TestSet>,
    pub image_list: ImageList,
    pub labels: Labels,
    /// What is sent as the labels: the file that challenge.toml names, or what was made of it for shuffled pictures.
    pub labels_file: PathBuf,
    notices: Vec<Notice>,
}

/// Whether the order of the images' names must be clear.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    MustBeSaid,
    /// Another order is to be made.
    MayBeOpen,
}

impl ChallengeDirectory {
    /// Reads and checks the directory.
    ///
    /// # Errors
    /// The first thing that the server would refuse, labels that can be guessed excepted ([`Self::leaks`]).
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::read(path, Order::MustBeSaid)
    }

    /// Reads and checks the directory as it is before its images are put in another order.
    ///
    /// # Errors
    /// As [`Self::open`], but for names of images whose order nobody has said.
    pub fn open_to_shuffle(path: &Path) -> anyhow::Result<Self> {
        Self::read(path, Order::MayBeOpen)
    }

    fn read(path: &Path, order: Order) -> anyhow::Result<Self> {
        let file = path.join(FILE_NAME);
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "{} cannot be read; give the directory that holds {FILE_NAME}",
                file.display()
            )
        })?;
        let manifest = Manifest::parse(&text)?;
        let read = |name: &Path| {
            let file = path.join(name);
            anyhow::ensure!(
                !file.is_dir(),
                "{}, which {FILE_NAME} names, is a directory; give one file",
                file.display()
            );
            refuse_missing(&file)?;
            fs::read(&file).with_context(|| {
                format!(
                    "{}, which {FILE_NAME} names, cannot be read",
                    file.display()
                )
            })
        };
        let text_of = |name: &Path| {
            String::from_utf8(read(name)?).with_context(|| {
                format!(
                    "{} is not UTF-8; save it as text in UTF-8",
                    path.join(name).display()
                )
            })
        };
        let description = manifest
            .description
            .as_deref()
            .map(text_of)
            .transpose()?
            .unwrap_or_default();
        let classes = ClassList::read(&read(&manifest.classes)?).with_context(|| {
            format!("{} cannot be used", path.join(&manifest.classes).display())
        })?;
        let wider = match &manifest.test.wider_classes {
            Some(name) => Some((name, ClassList::read(&read(name)?))),
            None => None,
        };
        let wider = wider.map(|(name, list)| {
            wider_classes(list, &classes)
                .with_context(|| format!("{} cannot be used", path.join(name).display()))
        });
        let (wider_list, wider) = wider.transpose()?.unzip();
        let settings = settings(&manifest, description, &classes, wider_list.as_ref());
        if let Some(fault) = settings.faults().into_iter().next() {
            bail!("{FILE_NAME}: {fault}");
        }
        check_files(path, &manifest)?;
        let tested = test_set(path, &manifest.test, &classes, order)?;
        let labels = &tested.labels;
        anyhow::ensure!(
            labels.scored() > 0,
            "{}: {}",
            path.join(manifest.test.labels.get_ref()).display(),
            split::NO_LABEL
        );
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        if let Some(fault) = split::fault(settings.leaderboard.public_fraction, count) {
            bail!("{FILE_NAME}: {fault}");
        }
        if let Some(validation) = &manifest.validation {
            let images = path.join(&validation.images);
            anyhow::ensure!(
                !images.is_dir(),
                "{} is a directory; pack the validation images, `tar cf validation.tar -C {0} .`",
                images.display()
            );
            let listed = TestSet::open(&images)?.list()?;
            read_labels(
                &path.join(&validation.labels),
                &classes,
                TestImages::Listed(&listed),
            )?;
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            manifest,
            settings,
            classes,
            wider,
            images: tested.images,
            image_list: tested.list,
            labels: tested.labels,
            labels_file: tested.labels_file,
            notices: tested.notices,
        })
    }

    /// What its organizer should know: how files were read, and what of `challenge.toml` is not done yet.
    pub fn notices(&self) -> Vec<String> {
        let labels = self.manifest.test.labels.get_ref().display();
        let read = (self.notices.iter()).map(|notice| format!("{labels}: {}", notice.detail));
        let terms = self.manifest.access.terms.as_ref().map(|terms| {
            format!(
                "{FILE_NAME}: [access] terms is for later; nobody is asked to accept {} yet",
                terms.display()
            )
        });
        read.chain(terms).collect()
    }

    /// How the labels can be guessed without looking at an image, and what to do about it.
    ///
    /// # Errors
    /// The images cannot be read.
    pub fn leaks(&self) -> anyhow::Result<Findings> {
        let files = self.images.as_ref().and_then(TestSet::pictures);
        let traits = match (&self.images, files) {
            (Some(images), Some(files)) => fs::File::open(images.path())
                .and_then(|file| image_files::survey(file, files, leaks::sampled(files.len())))
                .with_context(|| format!("{} cannot be read", images.path().display()))?,
            _ => Vec::new(),
        };
        Ok(leaks::findings(&leaks::TestSet {
            labels: &self.labels,
            classes: &self.classes,
            images: &self.image_list,
            files,
            traits: &traits,
        }))
    }

    /// The same for who is about to show the images to others: notices on standard error, and what must be mended as an error.
    pub fn refuse_leaks(&self) -> anyhow::Result<()> {
        let found = self.leaks()?;
        for notice in found.notice_sentences() {
            eprintln!("notice: {notice}");
        }
        match found.sentence() {
            Some(leak) => bail!("{leak}"),
            None => Ok(()),
        }
    }
}

/// The longer list, alone and with the places of the challenge's classes in it.
/// Whether the files to download are there, under keys that addresses may have.
fn check_files(path: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    for (key, file) in &manifest.files {
        let is_key = (1..=100).contains(&key.len())
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        anyhow::ensure!(
            is_key,
            "{FILE_NAME}: [files] key `{key}` must be 1 to 100 of letters, digits, -, _ and ."
        );
        let file = path.join(file);
        anyhow::ensure!(
            file.is_file(),
            "{}, which [files] names, is not a file",
            file.display()
        );
    }
    Ok(())
}

fn wider_classes(
    list: Result<ClassList, ClassListError>,
    classes: &ClassList,
) -> anyhow::Result<(ClassList, WiderClasses)> {
    let list = list?;
    let wider = WiderClasses::new(list.clone(), classes)?;
    Ok((list, wider))
}

fn settings(
    manifest: &Manifest,
    description: String,
    classes: &ClassList,
    wider: Option<&ClassList>,
) -> ChallengeSettings {
    let class = |entry: &referee_scoring::ClassEntry| Class {
        name: entry.name.clone(),
        id: entry.id.clone(),
    };
    ChallengeSettings {
        slug: manifest.slug.clone(),
        title: manifest.title.clone(),
        series: manifest.series.clone(),
        description,
        classes: classes.entries().iter().map(class).collect(),
        test: TestSettings {
            public_images: manifest.test.public_images,
            wider_classes: wider.map(|list| list.entries().iter().map(class).collect()),
            order: manifest.test.order,
        },
        schedule: Schedule {
            opens: manifest.schedule.opens.map(|Moment(opens)| opens),
            closes: manifest.schedule.closes.map(|Moment(closes)| closes),
            after_close: manifest.schedule.after_close,
        },
        limits: manifest.limits,
        leaderboard: manifest.leaderboard.clone(),
        rules: manifest.rules,
    }
}

/// The test images, where there are any, and their labels.
struct LabelledImages {
    images: Option<TestSet>,
    list: ImageList,
    labels: Labels,
    labels_file: PathBuf,
    notices: Vec<Notice>,
}

fn test_set(
    path: &Path,
    test: &Test,
    classes: &ClassList,
    order: Order,
) -> anyhow::Result<LabelledImages> {
    let said = test.order.map(scoring_order);
    let labels_file = path.join(test.labels.get_ref());
    let clear = |list: &ImageList, also: &str| match list.names().and_then(fault_of_unsaid_order) {
        Some(fault) if said.is_none() => bail!("{FILE_NAME}: {fault}{also}"),
        _ => Ok(()),
    };
    let Some(images) = test
        .images
        .as_ref()
        .map(|images| path.join(images.get_ref()))
    else {
        let images = TestImages::Defined(said.unwrap_or_default());
        let read = read_labels(&labels_file, classes, images)?;
        clear(&read.images, "")?;
        return Ok(LabelledImages {
            images: None,
            list: read.images,
            labels: read.labels,
            labels_file,
            notices: read.notices,
        });
    };
    refuse_missing(&images)?;
    if images.is_dir() {
        let packed = Packed::new(path, &images, said.unwrap_or_default())?;
        let read = read_labels(&labels_file, classes, TestImages::Listed(&packed.paths))?;
        if read.by_place {
            clear(&packed.paths, ", or name the images in the labels")?;
        }
        let (labels, labels_file) = packed.labels(&read.labels, classes)?;
        return Ok(LabelledImages {
            images: Some(TestSet::open(&packed.archive)?),
            list: packed.names(),
            labels,
            labels_file,
            notices: read.notices,
        });
    }
    let set = TestSet::open(&images)?.in_order(said.unwrap_or_default());
    let list = set.list()?;
    let or_shuffle = format!(", or run `referee challenge shuffle {}`", path.display());
    if order == Order::MustBeSaid {
        clear(&list, &or_shuffle)?;
    }
    let name_images = ", or name the images in the labels";
    let read = read_labels(&labels_file, classes, TestImages::Listed(&list));
    // What is wrong may be the order alone, of which the labels' own sentence says nothing.
    if read.as_ref().map_or(true, |read| read.by_place) {
        clear(&list, name_images)?;
    }
    let read = read?;
    Ok(LabelledImages {
        images: Some(set),
        list,
        labels: read.labels,
        labels_file,
        notices: read.notices,
    })
}

pub fn scoring_order(order: ImageOrder) -> referee_scoring::ImageOrder {
    match order {
        ImageOrder::Bytes => referee_scoring::ImageOrder::Bytes,
        ImageOrder::Natural => referee_scoring::ImageOrder::Natural,
    }
}

/// # Errors
/// For a name that is no file's, which is mostly a slip of the pen.
fn refuse_missing(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        path.exists(),
        "{}, which {FILE_NAME} names, is not there: put it there, or write its path, as seen from {FILE_NAME}",
        path.display()
    );
    Ok(())
}

fn read_labels(
    path: &Path,
    classes: &ClassList,
    images: TestImages<'_>,
) -> anyhow::Result<LabelFile> {
    anyhow::ensure!(
        !path.is_dir(),
        "{}, which {FILE_NAME} names, is a directory; labels are one file, which `referee challenge import imagefolder` makes of a folder of folders",
        path.display()
    );
    refuse_missing(path)?;
    let file = fs::File::open(path).with_context(|| {
        format!(
            "{}, which {FILE_NAME} names, cannot be opened",
            path.display()
        )
    })?;
    Labels::read(file, classes, images).map_err(|error| {
        let wrong = WrongFile::from(error);
        WrongFile {
            detail: format!("{}: {}", path.display(), wrong.detail),
            ..wrong
        }
        .into()
    })
}

#[cfg(test)]
mod tests {
    use referee_client::documents::Primary;

    use super::*;

    /// The contract's own example, word for word.
    const EXAMPLE: &str = r#"
slug = "fashion-mnist"              # [a-z0-9-]{2,40}, unique
title = "Fashion-MNIST"
series = "fashion-mnist"            # optional: groups challenges
description = "description.md"      # Markdown, sanitised when shown
classes = "classes.txt"             # one per line; line i (from 0) is class i; optional second, tab-separated column: an id such as a WNID
[test]
images = "test-images.npy"          # uint8 [N,H,W] or [N,H,W,C]; or a .tar of JPEG/PNG, in byte order of the names. Optional: without it, predictions only
order = "bytes"                     # or "natural": 2.png before 10.png
labels = "test-labels.csv"          # header `image,label`; image = ordinal from 0 or file name; label = class index from 0, name or id; several joined by `|`; empty = skipped
public_images = true                # may competitors download the test images?
[validation]                        # optional and public: every model is run on it first, uncounted (section 3, class order)
images = "val-images.npy"
labels = "val-labels.csv"
[files]                             # what competitors may download, by key
train-images = "train-images.npy"
[schedule]                          # RFC 3339; all optional
opens = "2026-01-01T00:00:00Z"
closes = "2027-01-01T00:00:00Z"     # judged by the first byte received; may be moved until private scores are released, never after
after_close = "reject"              # or "score": scored, marked late, never ranked
[limits]                            # per team; all optional
per_day = 20                        # UTC days
per_week = 100                      # ISO weeks, UTC
total = 1000
upload_mb = 1024                    # of the bytes as sent
[leaderboard]
primary = "top5"                    # what ranks, what the ladder gates, what ties are tested on; default top5, top1 below 50 classes
public_fraction = 0.3               # the rest is private until the close; 1.0 = all public
feedback = "exact"                  # or "ladder": then both errors and both intervals are those of the last accepted submission
ranking = "best"                    # or "latest": which of a team's submissions stands on the public board
final_selections = 1                # private board: the better, on private images, of at most this many that the team selected before the close;
                                    # none selected: the one on the public board. Never the best of all on private images
[rules]
outside_data = "declared"           # or "forbidden"; every submission then says whether it used data from elsewhere (ILSVRC ranked both apart)
[access]                            # (later)
visibility = "public"               # "unlisted", "invited"
terms = "terms.md"                  # accepted before the first submission
"#;

    #[test]
    fn the_contracts_example_is_read() {
        let manifest = Manifest::parse(EXAMPLE).unwrap();
        assert_eq!(manifest.leaderboard.primary, Some(Primary::Top5));
        assert_eq!(manifest.limits.per_week, Some(100));
        assert_eq!(
            manifest.schedule.closes.unwrap().0.to_rfc3339(),
            "2027-01-01T00:00:00+00:00"
        );
        assert_eq!(
            manifest.files["train-images"],
            Path::new("train-images.npy")
        );
        let labels = manifest.test.labels;
        assert_eq!(&EXAMPLE[labels.span()], "\"test-labels.csv\"");
    }

    #[test]
    fn a_reference_line_is_read() {
        let reference = "[leaderboard]\nreference = { label = \"human\", error = 0.051 }\n";
        let manifest = Manifest::parse(&EXAMPLE.replace("[leaderboard]\n", reference)).unwrap();
        let reference = manifest.leaderboard.reference.unwrap();
        assert_eq!(reference.error.to_string(), "0.051");
    }

    #[test]
    fn dates_need_no_quotation_marks_but_a_time_and_an_offset() {
        let closes = |date: &str| {
            let text = EXAMPLE.replace("\"2027-01-01T00:00:00Z\"", date);
            Manifest::parse(&text).map(|manifest| manifest.schedule.closes.unwrap())
        };
        let quoted = closes("\"2027-01-01T00:00:00Z\"").unwrap();
        for same in [
            "2027-01-01T00:00:00Z",
            "2027-01-01 00:00:00Z",
            "2027-01-01T02:00:00+02:00",
        ] {
            assert_eq!(closes(same).unwrap(), quoted, "{same}");
        }
        for (wrong, sentence) in [
            (
                "2027-01-01",
                "`2027-01-01` is a day without a time: write 2027-01-01T00:00:00Z for its beginning in UTC",
            ),
            (
                "2027-01-01T08:00:00",
                "`2027-01-01T08:00:00` has no time zone: write 2027-01-01T08:00:00Z for UTC, or 2027-01-01T08:00:00+02:00 with your own offset",
            ),
            (
                "\"2027-01-01 08:00:00\"",
                "`2027-01-01 08:00:00` has no time zone: write 2027-01-01T08:00:00Z for UTC, or 2027-01-01T08:00:00+02:00 with your own offset",
            ),
            (
                "\"soon\"",
                "`soon` is no date with a time and its offset: write 2026-01-01T00:00:00Z",
            ),
            (
                "2027",
                "`2027` is no date with a time and its offset: write 2026-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(
                closes(wrong).unwrap_err().to_string(),
                format!("challenge.toml, line 19: {sentence}")
            );
        }
    }

    #[test]
    fn an_unknown_key_is_reported_with_its_line() {
        let text = EXAMPLE.replace("public_fraction", "public_fractoin");
        let error = Manifest::parse(&text).unwrap_err().to_string();
        assert!(
            error.starts_with("challenge.toml, line 28: unknown field `public_fractoin`"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_word_is_reported_with_the_right_ones() {
        let error = Manifest::parse(&EXAMPLE.replace("\"best\"", "\"worst\""))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`worst`") && error.contains("`latest`"),
            "{error}"
        );
    }
}

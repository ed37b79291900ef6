//! `challenge.toml`: a challenge as a directory of files.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use referee_client::documents::{
    ChallengeSettings, Class, LeaderboardSettings, Limits, Rules, Schedule, TestSettings,
};
use referee_networks::images::TestSet;
use referee_scoring::{ClassList, ImageList, Labels, leaks, split};
use serde::Deserialize;
use toml::Spanned;

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
    pub schedule: Schedule,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub leaderboard: LeaderboardSettings,
    #[serde(default)]
    pub rules: Rules,
}

/// `[test]`. The spans say where to write other names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub images: Option<Spanned<PathBuf>>,
    pub labels: Spanned<PathBuf>,
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
    pub images: Option<TestSet>,
    pub image_list: ImageList,
    pub labels: Labels,
}

impl ChallengeDirectory {
    /// Reads and checks the directory.
    ///
    /// # Errors
    /// The first thing that the server would refuse, labels that can be guessed excepted ([`Self::leak`]).
    pub fn open(path: &Path) -> anyhow::Result<Self> {
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
            fs::read_to_string(&file).with_context(|| {
                format!(
                    "{}, which {FILE_NAME} names, cannot be read",
                    file.display()
                )
            })
        };
        let description = manifest
            .description
            .as_deref()
            .map(read)
            .transpose()?
            .unwrap_or_default();
        let classes = ClassList::parse(&read(&manifest.classes)?).with_context(|| {
            format!("{} cannot be used", path.join(&manifest.classes).display())
        })?;
        let settings = settings(&manifest, description, &classes);
        if let Some(fault) = settings.faults().into_iter().next() {
            bail!("{FILE_NAME}: {fault}");
        }
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
        let images = match &manifest.test.images {
            Some(images) => Some(TestSet::open(&path.join(images.get_ref()))?),
            None => None,
        };
        let listed = images.as_ref().map(TestSet::list).transpose()?;
        let (labels, image_list) = read_labels(
            &path.join(manifest.test.labels.get_ref()),
            &classes,
            listed.as_ref(),
        )?;
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
            let listed = TestSet::open(&path.join(&validation.images))?.list()?;
            read_labels(&path.join(&validation.labels), &classes, Some(&listed))?;
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            manifest,
            settings,
            classes,
            images,
            image_list,
            labels,
        })
    }

    /// How the labels can be guessed without looking at an image, and what to do about it; none where they cannot.
    pub fn leak(&self) -> Option<String> {
        let sizes = self.images.as_ref().and_then(TestSet::sizes);
        leaks::finding(
            &self.labels,
            &self.image_list,
            sizes.as_deref(),
            &self.classes,
        )
    }
}

fn settings(manifest: &Manifest, description: String, classes: &ClassList) -> ChallengeSettings {
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
        },
        schedule: manifest.schedule,
        limits: manifest.limits,
        leaderboard: manifest.leaderboard.clone(),
        rules: manifest.rules,
    }
}

fn read_labels(
    path: &Path,
    classes: &ClassList,
    images: Option<&ImageList>,
) -> anyhow::Result<(Labels, ImageList)> {
    let file = fs::File::open(path).with_context(|| {
        format!(
            "{}, which {FILE_NAME} names, cannot be opened",
            path.display()
        )
    })?;
    Labels::parse_csv(file, classes, images).map_err(|error| {
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

    /// The contract's own example, without its sections that are for later.
    const EXAMPLE: &str = r#"
slug = "fashion-mnist"              # [a-z0-9-]{2,40}, unique
title = "Fashion-MNIST"
series = "fashion-mnist"
description = "description.md"
classes = "classes.txt"
[test]
images = "test-images.npy"
labels = "test-labels.csv"
public_images = true
[validation]
images = "val-images.npy"
labels = "val-labels.csv"
[files]
train-images = "train-images.npy"
[schedule]
opens = "2026-01-01T00:00:00Z"
closes = "2027-01-01T00:00:00Z"
after_close = "reject"
[limits]
per_day = 20
per_week = 100
total = 1000
upload_mb = 1024
[leaderboard]
primary = "top5"
public_fraction = 0.3
feedback = "exact"
ranking = "best"
final_selections = 1
reference = { label = "human", error = 0.051 }
[rules]
outside_data = "declared"
"#;

    #[test]
    fn the_contracts_example_is_read() {
        let manifest = Manifest::parse(EXAMPLE).unwrap();
        assert_eq!(manifest.leaderboard.primary, Some(Primary::Top5));
        assert_eq!(manifest.limits.per_week, Some(100));
        let reference = manifest.leaderboard.reference.unwrap();
        assert_eq!(reference.error.to_string(), "0.051");
        assert_eq!(
            manifest.files["train-images"],
            Path::new("train-images.npy")
        );
        let labels = manifest.test.labels;
        assert_eq!(&EXAMPLE[labels.span()], "\"test-labels.csv\"");
    }

    #[test]
    fn an_unknown_key_is_reported_with_its_line() {
        let text = EXAMPLE.replace("public_fraction", "public_fractoin");
        let error = Manifest::parse(&text).unwrap_err().to_string();
        assert!(
            error.starts_with("challenge.toml, line 27: unknown field `public_fractoin`"),
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

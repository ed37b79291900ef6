use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use referee_scoring::{ClassEntry, ClassList, ImageOrder, Labels, TestImages};

use super::{Made, Pictures, read_classes, write};
use crate::output::WrongFile;

/// From a table of images and labels, such as ImageId,Class
///
/// Any header that names one column of images and one of labels is read.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee challenge import csv solution.csv --images test/ --out my-challenge/"
)]
pub struct Table {
    labels: PathBuf,
    /// A directory or tar of pictures, or an array [default: a challenge of predictions only]
    #[arg(long, value_name = "PATH")]
    images: Option<PathBuf>,
    /// The class list, one name a line [default: the labels that occur, in byte order]
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    #[command(flatten)]
    made: Made,
}

impl Table {
    pub fn run(self) -> anyhow::Result<()> {
        let classes = match &self.classes {
            Some(file) => read_classes(file)?,
            None => self.classes_that_occur()?,
        };
        let pictures = self.images.as_deref().map(Pictures::open).transpose()?;
        let images = match &pictures {
            Some(pictures) => TestImages::Listed(&pictures.list),
            None => TestImages::Defined(ImageOrder::Natural),
        };
        let read = Labels::read(self.open()?, &classes, images)
            .map_err(|error| wrong(&self.labels, error))?;
        for notice in &read.notices {
            eprintln!("notice: {}", notice.detail);
        }
        write(
            &self.made,
            &self.labels,
            &classes,
            &read.labels,
            &read.images,
            pictures.as_ref(),
        )
    }

    fn open(&self) -> anyhow::Result<File> {
        ensure!(
            !self.labels.is_dir(),
            "{} is a directory; `referee challenge import imagefolder` reads a folder of folders",
            self.labels.display()
        );
        File::open(&self.labels)
            .with_context(|| format!("{} cannot be read", self.labels.display()))
    }

    fn classes_that_occur(&self) -> anyhow::Result<ClassList> {
        let mut names =
            Labels::names_of_classes(self.open()?).map_err(|error| wrong(&self.labels, error))?;
        let numbers: Option<Vec<usize>> = names.iter().map(|name| name.parse().ok()).collect();
        if let Some(mut numbers) = numbers {
            numbers.sort_unstable();
            ensure!(
                numbers.iter().copied().eq(0..numbers.len()),
                "the labels are numbers that do not count the classes from 0 (they run from {} to {}, {} of them): give the names of the classes with --classes, one a line, and let the labels be names or indices from 0",
                numbers.first().unwrap_or(&0),
                numbers.last().unwrap_or(&0),
                numbers.len()
            );
            names.sort_by_key(|name| name.parse().unwrap_or(0));
        } else {
            names.sort_unstable();
        }
        let entry = |name| ClassEntry { name, id: None };
        Ok(ClassList::new(names.into_iter().map(entry).collect())?)
    }
}

pub(super) fn wrong(file: &Path, error: referee_scoring::FormatError) -> WrongFile {
    let wrong = WrongFile::from(error);
    WrongFile {
        detail: format!("{}: {}", file.display(), wrong.detail),
        ..wrong
    }
}

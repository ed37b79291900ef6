use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use referee_scoring::{Class, ClassList, ImageOrder, Labels, TestImages};

use super::table::wrong;
use super::{Made, Pictures, matlab, read_classes, write};

/// From ILSVRC's own files: the devkit's ground truth, Kaggle's LOC_val_solution.csv, Caffe's val.txt, or ReaL's real.json
///
/// The devkit counts the classes in the order of its meta.mat; everybody else (torchvision, timm, Keras, Caffe, ReaL) in the order of
/// the WNIDs, which is the order of the challenge's classes unless --devkit-order is given.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee challenge import ilsvrc --images val/ --labels ILSVRC2012_validation_ground_truth.txt --synsets meta.mat --out imagenet/\n  referee challenge import ilsvrc --images val.tar --labels LOC_val_solution.csv --synsets LOC_synset_mapping.txt --out imagenet/"
)]
pub struct Ilsvrc {
    /// The validation images: a directory or a tar [default: a challenge of predictions only]
    #[arg(long, value_name = "PATH")]
    images: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The classes: the devkit's meta.mat, LOC_synset_mapping.txt, synset_words.txt, or a class list with WNIDs
    #[arg(long, value_name = "FILE")]
    synsets: PathBuf,
    /// Count the challenge's classes as --synsets does: ILSVRC's own ids, where that is meta.mat
    #[arg(long)]
    devkit_order: bool,
    #[command(flatten)]
    made: Made,
}

impl Ilsvrc {
    pub fn run(self) -> anyhow::Result<()> {
        let given = synsets(&self.synsets)?;
        let sorted = by_wnid(&given)?;
        let pictures = self.images.as_deref().map(Pictures::open).transpose()?;
        let images = match &pictures {
            Some(pictures) => TestImages::Listed(&pictures.list),
            None => TestImages::Defined(ImageOrder::Natural),
        };
        let counted = if self.counts_as_the_devkit()? {
            &given
        } else {
            &sorted
        };
        let file = File::open(&self.labels)
            .with_context(|| format!("{} cannot be read", self.labels.display()))?;
        let read =
            Labels::read(file, counted, images).map_err(|error| wrong(&self.labels, error))?;
        for notice in &read.notices {
            eprintln!("notice: {}", notice.detail);
        }
        let classes = if self.devkit_order { &given } else { &sorted };
        let translate = |class: &Class| {
            let id = &counted.entries()[usize::from(class.0)].id;
            let place = classes.entries().iter().position(|entry| entry.id == *id);
            place
                .and_then(|place| u16::try_from(place).ok())
                .map_or(*class, Class)
        };
        let places: Vec<Class> = (0..counted.len())
            .filter_map(|class| u16::try_from(class).ok())
            .map(|class| translate(&Class(class)))
            .collect();
        let sets = (read.labels.iter()).map(|set| {
            set.iter()
                .map(|class| places[usize::from(class.0)])
                .collect()
        });
        let labels = Labels::from_sets(sets);
        let after = self.images.as_deref().unwrap_or(&self.labels);
        write(
            &self.made,
            after,
            classes,
            &labels,
            &read.images,
            pictures.as_ref(),
        )
    }

    /// Whether the labels are numbers alone, as the devkit's ground truth.
    fn counts_as_the_devkit(&self) -> anyhow::Result<bool> {
        let mut start = Vec::new();
        let file = File::open(&self.labels).and_then(|file| file.take(64).read_to_end(&mut start));
        file.with_context(|| format!("{} cannot be read", self.labels.display()))?;
        let line = start
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        Ok(!line.is_empty() && line.trim_ascii().iter().all(u8::is_ascii_digit))
    }
}

fn synsets(file: &Path) -> anyhow::Result<ClassList> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let classes = if bytes.starts_with(b"MATLAB") {
        let entries = matlab::synsets(&bytes)
            .with_context(|| format!("{} cannot be used", file.display()))?;
        ClassList::new(entries)?
    } else {
        let classes = read_classes(file)?;
        // A list of WNIDs alone: they are names and ids.
        let entries = classes.entries().iter().cloned().map(|mut entry| {
            entry.id.get_or_insert_with(|| entry.name.clone());
            entry
        });
        ClassList::new(entries.collect())?
    };
    Ok(classes)
}

fn by_wnid(classes: &ClassList) -> anyhow::Result<ClassList> {
    let mut entries = classes.entries().to_vec();
    ensure!(
        entries
            .iter()
            .all(|entry| entry.id.as_ref().is_some_and(|id| is_wnid(id))),
        "the classes have no WNIDs (such as n01440764); give the devkit's meta.mat, LOC_synset_mapping.txt or synset_words.txt as --synsets"
    );
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(ClassList::new(entries)?)
}

fn is_wnid(id: &str) -> bool {
    matches!(id.as_bytes(), [b'n', digits @ ..] if digits.len() == 8 && digits.iter().all(u8::is_ascii_digit))
}

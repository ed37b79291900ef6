use std::path::{Path, PathBuf};

use anyhow::bail;
use referee_scoring::image_order::fault_of_unsaid_order;
use referee_scoring::labels::ABSENT_CLASSES;
use referee_scoring::{
    ClassList, Expected, ImageList, ImageOrder, LabelFile, Labels, Over, Record, TestImages,
    WiderClasses, outcome, predictions, statistics,
};
use serde::Serialize;

use crate::output::{self, Align, WrongFile, percent, percent_interval};
use crate::{input, wider};

/// Score predictions against labels, without a server
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee score --labels labels.csv predictions.npy\n  zcat predictions.txt.gz | referee score --labels labels.csv -"
)]
pub struct Score {
    /// The predictions; - for stdin
    predictions: PathBuf,
    /// The labels: CSV with the header image,label
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The class list, one name a line; without it classes are known by their numbers alone
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// A longer class list that the predictions are over, and that holds the classes of --classes
    #[arg(long, value_name = "FILE", requires = "classes")]
    wider_classes: Option<PathBuf>,
    /// In which order the names in the labels are counted, for predictions without names: bytes (10.png before 2.png) or natural
    #[arg(long, value_parser = image_order)]
    order: Option<ImageOrder>,
    /// Accept what the ILSVRC devkit accepts, and print the errors of 1 to 5 guesses as it does
    #[arg(long)]
    devkit: bool,
    /// Each class is followed by the four integers of a box, which are ignored
    #[arg(long)]
    boxes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn image_order(word: &str) -> Result<ImageOrder, String> {
    match word {
        "bytes" => Ok(ImageOrder::Bytes),
        "natural" => Ok(ImageOrder::Natural),
        _ => Err("expected bytes or natural".to_owned()),
    }
}

/// The error of the best so many guesses.
#[derive(Serialize)]
struct Line {
    guesses: usize,
    error: f64,
    interval: [f64; 2],
    misses: u64,
}

#[derive(Serialize)]
struct Document {
    /// Those that have labels.
    images: u64,
    top1_error: f64,
    top5_error: f64,
    top1_interval: [f64; 2],
    top5_interval: [f64; 2],
    /// The errors of 1 to 5 guesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Line>>,
    notices: Vec<referee_scoring::Notice>,
}

impl Score {
    pub fn run(self) -> anyhow::Result<()> {
        let classes = match &self.classes {
            Some(path) => input::class_list(path)?,
            None => ClassList::uncounted(),
        };
        let order = self.order.unwrap_or_default();
        let read = Labels::read(
            input::open(&self.labels)?,
            &classes,
            TestImages::Defined(order),
        )
        .map_err(|error| self.wrong(&self.labels, error))?;
        let LabelFile {
            labels,
            images,
            notices: label_notices,
            ..
        } = read;
        let wider = self.wider_classes.as_deref();
        let wider = wider.map(|path| wider::read(path, &classes)).transpose()?;
        let mut read = self.read(&classes, wider.as_ref(), &images)?;
        if self.order.is_none()
            && !read.format.names_images()
            && let Some(fault) = images.names().and_then(fault_of_unsaid_order)
        {
            let (fact, _) = fault.split_once(": ").unwrap_or((&fault, ""));
            bail!(
                "{} names no images, and {fact}: give --order natural or --order bytes",
                input::name(&self.predictions)
            );
        }
        // That a class never occurs concerns whoever wrote the labels, not whoever is scored by them.
        let label_notices = label_notices
            .into_iter()
            .filter(|notice| notice.code != ABSENT_CLASSES);
        read.notices = label_notices.chain(read.notices).collect();
        let labels = match &wider {
            Some(wider) => labels.within(wider),
            None => labels,
        };
        let tally = outcome::judge(&read.record, &labels).tally(&labels.scored_mask(), None);
        anyhow::ensure!(
            tally.images > 0,
            "{}: every image is skipped; at least one needs a label",
            input::name(&self.labels)
        );

        let scored = tally.images.into();
        let lines = vec![
            line(1, tally.top1_misses.into(), scored),
            line(5, tally.top5_misses.into(), scored),
        ];
        let by_guesses = self.devkit.then(|| {
            (1..=5)
                .map(|k| line(k, misses(&read.record, &labels, k), scored))
                .collect::<Vec<_>>()
        });
        if self.json {
            return output::print_json(&Document {
                images: scored,
                top1_error: lines[0].error,
                top5_error: lines[1].error,
                top1_interval: lines[0].interval,
                top5_interval: lines[1].interval,
                errors: by_guesses,
                notices: read.notices,
            });
        }
        for notice in &read.notices {
            output::print_line(&format!("notice: {}", notice.detail))?;
        }
        output::print(&text(&by_guesses.unwrap_or(lines), scored))
    }

    fn read(
        &self,
        classes: &ClassList,
        wider: Option<&WiderClasses>,
        images: &ImageList,
    ) -> anyhow::Result<referee_scoring::Predictions> {
        let expected = Expected {
            classes,
            images,
            boxes: self.boxes,
            devkit: self.devkit,
        };
        let file = input::open(&self.predictions)?;
        let read = match wider {
            Some(wider) => predictions::read_within(file, &expected, wider, Over::Wider),
            None => predictions::read(file, &expected),
        };
        Ok(read.map_err(|error| self.wrong(&self.predictions, error))?)
    }

    fn wrong(&self, path: &Path, error: referee_scoring::FormatError) -> WrongFile {
        let wrong = WrongFile::from(error);
        let remedy = if self.classes.is_none() && wrong.detail.contains("no class is called") {
            "; where classes have names, --classes FILE lists them"
        } else {
            ""
        };
        WrongFile {
            detail: format!("{}: {}{remedy}", input::name(path), wrong.detail),
            ..wrong
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of images, far below 2^53"
)]
fn line(guesses: usize, misses: u64, images: u64) -> Line {
    let (low, high) = statistics::wilson(misses, images, 0.95);
    Line {
        guesses,
        error: misses as f64 / images as f64,
        interval: [low, high],
        misses,
    }
}

/// On how many labelled images none of the first `guesses` is right. Where several share the best score none is the first.
fn misses(record: &Record, labels: &Labels, guesses: usize) -> u64 {
    let columns = if guesses == 1 { 0..=0 } else { 1..=guesses };
    let is_miss = |(row, right): &(&[i32; 6], &[referee_scoring::Class])| {
        !right.is_empty()
            && !right
                .iter()
                .any(|class| row[columns.clone()].contains(&i32::from(class.0)))
    };
    record
        .rows()
        .iter()
        .zip(labels.iter())
        .filter(is_miss)
        .count() as u64
}

fn text(lines: &[Line], images: u64) -> String {
    let columns = [
        ("best", Align::Left),
        ("error", Align::Right),
        ("95 % interval", Align::Right),
        ("wrong", Align::Right),
    ];
    let rows = lines.iter().map(|line| {
        [
            format!("top-{}", line.guesses),
            percent(line.error),
            percent_interval(line.interval),
            format!("{} of {images}", line.misses),
        ]
    });
    output::table(columns, rows)
}

//! The hidden truth: for each test image a set of classes, any of which is right.

mod forms;
mod header;
mod numbering;
mod read;
mod rows;

use std::io::{self, Read, Write};

use crate::classes::{Class, ClassList, WiderClasses, is_canonical_integer};
use crate::format_error::FormatError;
use crate::image_order::ImageOrder;
use crate::images::ImageList;
use crate::outcome::Bitmap;
use crate::predictions::Notice;

/// The code of the notice about classes that no image has.
pub const ABSENT_CLASSES: &str = "absent_classes";

/// Which images a file of labels is about.
#[derive(Clone, Copy, Debug)]
pub enum TestImages<'a> {
    /// These, each of which must occur exactly once.
    Listed(&'a ImageList),
    /// Those that the file names: ordinals, or names in this order.
    Defined(ImageOrder),
}

/// A file of labels that was read.
#[derive(Clone, Debug)]
pub struct LabelFile {
    pub labels: Labels,
    pub images: ImageList,
    /// Whether it says of any image only in which place it is, as a file of lines or of ordinals does.
    pub by_place: bool,
    /// What its sender should know: how a form was read, classes that never occur.
    pub notices: Vec<Notice>,
}

/// Labels of a test set by ordinal. An image with an empty set is skipped: it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// `classes[offsets[i]..offsets[i + 1]]` is the set of image i.
    offsets: Vec<u32>,
    classes: Vec<Class>,
}

impl Labels {
    /// Labels given as one set per image, in the order of the ordinals.
    ///
    /// # Panics
    /// If all sets together hold more than 2^32 − 1 classes.
    pub fn from_sets(sets: impl Iterator<Item = Vec<Class>>) -> Self {
        let mut labels = Self {
            offsets: vec![0],
            classes: Vec::new(),
        };
        for set in sets {
            labels.classes.extend(set);
            labels
                .offsets
                .push(u32::try_from(labels.classes.len()).expect("fewer than 2^32 labels"));
        }
        labels
    }

    /// Reads `labels.csv`: header `image,label`; an image is an ordinal from 0 or a name, a label a class index from 0, a name or an
    /// id; several are joined by `|`; an empty one means that the image is skipped. Rows may come in any order.
    ///
    /// With `images`, each of them must occur exactly once. Without, the file defines them: ordinals 0 to N − 1, or names, whose
    /// ordinals follow their byte order. [`Labels::read`] does the same and has more to say.
    pub fn parse_csv(
        input: impl Read,
        classes: &ClassList,
        images: Option<&ImageList>,
    ) -> Result<(Self, ImageList), FormatError> {
        let images = images.map_or(TestImages::Defined(ImageOrder::Bytes), TestImages::Listed);
        let file = Self::read(input, classes, images)?;
        Ok((file.labels, file.images))
    }

    /// The same labels as classes of the wider list.
    ///
    /// # Panics
    /// If a label is no class of the challenge that the list is for.
    #[must_use]
    pub fn within(&self, wider: &WiderClasses) -> Self {
        let place = |class: &Class| wider.places()[usize::from(class.0)];
        Self {
            offsets: self.offsets.clone(),
            classes: self.classes.iter().map(place).collect(),
        }
    }

    /// Reads a file of labels of any form that can be read for certain: `image,label` and other headers of the same meaning,
    /// Kaggle's `ImageId,PredictionString`, the ILSVRC devkit's numbers from 1, Caffe's `name number`, and JSON as `ReaL`'s.
    ///
    /// # Errors
    /// Where the file is wrong and what was expected; also labels that may be counted from 0 or from 1.
    pub fn read(
        input: impl Read,
        classes: &ClassList,
        images: TestImages<'_>,
    ) -> Result<LabelFile, FormatError> {
        read::read(input, classes, images)
    }

    /// What a table with a header calls its labels, each once, in the order in which they first occur.
    ///
    /// # Errors
    /// Where the file is no such table.
    pub fn names_of_classes(input: impl Read) -> Result<Vec<String>, FormatError> {
        read::names_of_classes(input)
    }

    /// Writes what [`Labels::parse_csv`] reads back: images by name where `images` has names, classes by id or name, which leaves no
    /// doubt whether they count from 0; by index where that is their name.
    pub fn write_csv(
        &self,
        mut out: impl Write,
        images: &ImageList,
        classes: &ClassList,
    ) -> io::Result<()> {
        writeln!(out, "image,label")?;
        let mut set = String::new();
        for image in 0..self.len() {
            match images.names() {
                Some(names) => write!(out, "{},", quoted(&names[image]))?,
                None => write!(out, "{image},")?,
            }
            set.clear();
            for class in self.get(image) {
                let entry = &classes.entries()[usize::from(class.0)];
                if !set.is_empty() {
                    set.push('|');
                }
                set.push_str(entry.id.as_ref().unwrap_or(&entry.name));
            }
            writeln!(out, "{}", quoted(&set))?;
        }
        Ok(())
    }

    /// The classes that are right for an image; empty where it is skipped.
    ///
    /// # Panics
    /// If `image` is not below [`Labels::len`].
    pub fn get(&self, image: usize) -> &[Class] {
        &self.classes[self.offsets[image] as usize..self.offsets[image + 1] as usize]
    }

    /// The label sets in the order of the ordinals.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Class]> {
        (0..self.len()).map(|image| self.get(image))
    }

    /// Number of images, skipped ones included.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of images that count.
    pub fn scored(&self) -> usize {
        self.iter().filter(|set| !set.is_empty()).count()
    }

    /// The images that count.
    pub fn scored_mask(&self) -> Bitmap {
        self.iter().map(|set| !set.is_empty()).collect()
    }
}

/// The sentence for a class that is not in the list.
pub(crate) fn unknown_class(name: &str, classes: &ClassList) -> String {
    let last = classes.len() - 1;
    if let Some((index, named)) = classes.two_readings(name) {
        let called = |class: Class| classes.entries()[usize::from(class.0)].name.as_str();
        let by_index = index.map_or_else(
            || format!("indices run from 0 to {last}"),
            |index| format!("index {name} (from 0) is `{}`", called(index)),
        );
        return format!(
            "class `{}` has two readings: {by_index}, and a spreadsheet makes it of `{}`; write the name, with its zeros",
            shown(name),
            called(named)
        );
    }
    if is_canonical_integer(name) {
        format!(
            "class {}, but class indices run from 0 to {last}",
            shown(name)
        )
    } else if name.parse::<i64>().is_err() && name.parse().is_ok_and(f64::is_finite) {
        format!(
            "`{}` is not an integer; expected a class index from 0 to {last} (pandas writes them after .astype(int))",
            shown(name)
        )
    } else {
        let alike = classes.named_alike(name);
        let remedy = alike.map_or_else(String::new, |it| format!(", such as `{}`", shown_name(it)));
        format!(
            "no class is called `{}`; expected a class index from 0 to {last}, a name or an id{remedy}",
            shown(name)
        )
    }
}

/// As much of a stranger's text as a sentence can hold.
pub(crate) fn shown(text: &str) -> String {
    let mut characters = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let start: String = characters.by_ref().take(40).collect();
    if characters.next().is_some() {
        start + "…"
    } else {
        start
    }
}

/// A name of our own, which may be longer than a stranger's text, since somebody is to copy it.
fn shown_name(name: &str) -> String {
    if name.chars().count() > 120 {
        shown(name)
    } else {
        name.to_owned()
    }
}

/// The sentence for an image that is not in the list.
pub(crate) fn unknown_image(text: &str, images: &ImageList) -> String {
    let count = images.len();
    if let (Some((place, named)), Some(names)) = (images.two_readings(text), images.names()) {
        let (place, named) = (&names[place as usize], &names[named as usize]);
        return format!(
            "image `{text}` has two readings: in place {text} (from 0) is `{place}`, and number {text} by its name is `{named}`; write the name that you mean"
        );
    }
    let names = match images.example(text) {
        Some(example) => format!(
            " or a name that only one image can have, such as `{}`",
            shown_name(example)
        ),
        None => String::new(),
    };
    format!(
        "no image `{}`; there are {count} test images: expected an ordinal from 0 to {}{names}",
        shown(text),
        count.saturating_sub(1)
    )
}

/// The sentence for a file that ends before every image had its line.
pub(crate) fn missing_image(first: usize, absent: usize, images: &ImageList) -> String {
    let count = images.len();
    format!(
        "the file ends and image {} is missing{}; each of the {count} test images needs a line",
        images.describe(first),
        if absent > 1 {
            format!(", and {} more", absent - 1)
        } else {
            String::new()
        },
    )
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"']) || name.trim() != name {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

//! The hidden truth: for each test image a set of classes, any of which is right.

use std::io::{self, Read, Write};

use crate::classes::{Class, ClassList, WiderClasses, is_canonical_integer};
use crate::csv;
use crate::format_error::{At, Findings, FormatError};
use crate::images::ImageList;
use crate::outcome::Bitmap;
use crate::stream::Stream;

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
    /// ordinals follow their byte order.
    pub fn parse_csv(
        input: impl Read,
        classes: &ClassList,
        images: Option<&ImageList>,
    ) -> Result<(Self, ImageList), FormatError> {
        let mut stream = Stream::open(input)?;
        let mut rows = Vec::new();
        let mut findings = Findings::default();
        let lines = csv::each_line(&mut stream, |number, line| {
            let at = At::Line(number);
            if number == 1 {
                return check_header(line);
            }
            match row(line, classes) {
                Ok((image, set)) => {
                    rows.push(LabelRow {
                        line: number,
                        image,
                        set,
                    });
                    Ok(())
                }
                Err(detail) => findings.push(at, detail),
            }
        })?;
        if lines == 0 {
            return Err(FormatError::whole(
                "the file is empty; expected the header `image,label` and a line for each test image",
            ));
        }
        findings.finish()?;
        let images = match images {
            Some(images) => images.clone(),
            None => defined_by(&rows)?,
        };
        let labels = arrange(rows, &images, lines)?;
        Ok((labels, images))
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

    /// Writes what [`Labels::parse_csv`] reads back, classes as indices, images by name where `images` has names.
    pub fn write_csv(&self, mut out: impl Write, images: &ImageList) -> io::Result<()> {
        writeln!(out, "image,label")?;
        for image in 0..self.len() {
            match images.names() {
                Some(names) => write!(out, "{},", quoted(&names[image]))?,
                None => write!(out, "{image},")?,
            }
            for (position, class) in self.get(image).iter().enumerate() {
                let separator = if position == 0 { "" } else { "|" };
                write!(out, "{separator}{}", class.0)?;
            }
            writeln!(out)?;
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

struct LabelRow {
    line: u64,
    image: String,
    set: Vec<Class>,
}

fn check_header(line: &str) -> Result<(), FormatError> {
    let named = |cell: &str, name| cell.trim().eq_ignore_ascii_case(name);
    let cells: Result<Vec<_>, _> = csv::cells(line).collect();
    if let Ok([image, label]) = cells.as_deref()
        && named(image, "image")
        && named(label, "label")
    {
        return Ok(());
    }
    Err(FormatError::at(
        At::Line(1),
        format!(
            "expected the header `image,label`, found `{}`{}",
            shown(line),
            csv::remedy_of_header(line)
        ),
    ))
}

fn row(line: &str, classes: &ClassList) -> Result<(String, Vec<Class>), String> {
    if line.trim().is_empty() {
        return Err("blank; expected an image and its label".to_owned());
    }
    let cells: Vec<_> = csv::cells(line).collect::<Result<_, _>>()?;
    let [image, label] = cells.as_slice() else {
        return Err(format!(
            "{} cells; expected two, the image and its label (several labels are joined by `|`)",
            cells.len()
        ));
    };
    if image.is_empty() {
        return Err("no image; expected its ordinal from 0 or its name".to_owned());
    }
    let mut set = Vec::new();
    for name in label.split('|').filter(|_| !label.is_empty()) {
        let class = classes
            .resolve(name.trim())
            .ok_or_else(|| unknown_class(name.trim(), classes))?;
        if set.contains(&class) {
            return Err(format!(
                "class `{}` is given twice; give each label once",
                shown(name.trim())
            ));
        }
        set.push(class);
    }
    Ok((image.clone().into_owned(), set))
}

/// The sentence for a class that is not in the list.
pub(crate) fn unknown_class(name: &str, classes: &ClassList) -> String {
    let last = classes.len() - 1;
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
        format!(
            "no class is called `{}`; expected a class index from 0 to {last}, a name or an id",
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

/// The images that a label file without an image list names: ordinals if all are integers, else names in byte order.
fn defined_by(rows: &[LabelRow]) -> Result<ImageList, FormatError> {
    if rows.iter().all(|row| is_canonical_integer(&row.image)) {
        return Ok(ImageList::ordinals(rows.len()));
    }
    let mut names: Vec<String> = rows.iter().map(|row| row.image.clone()).collect();
    names.sort_unstable();
    names.dedup();
    ImageList::named(names).map_err(|error| FormatError::whole(error.to_string()))
}

/// Puts the rows in the order of the ordinals; each image must have exactly one.
fn arrange(rows: Vec<LabelRow>, images: &ImageList, lines: u64) -> Result<Labels, FormatError> {
    let mut findings = Findings::default();
    let mut sets: Vec<Option<Vec<Class>>> = vec![None; images.len()];
    for row in rows {
        let at = At::Line(row.line);
        match images.resolve(&row.image) {
            None => findings.push(at, unknown_image(&row.image, images))?,
            Some(ordinal) => {
                if sets[ordinal as usize].replace(row.set).is_some() {
                    findings.push(
                        at,
                        format!(
                            "image {} has a line already",
                            images.describe(ordinal as usize)
                        ),
                    )?;
                }
            }
        }
    }
    findings.finish()?;
    if let Some(missing) = sets.iter().position(Option::is_none) {
        let absent = sets.iter().filter(|set| set.is_none()).count();
        let detail = missing_image(missing, absent, images);
        return Err(FormatError::at(At::Line(lines + 1), detail));
    }
    Ok(Labels::from_sets(sets.into_iter().flatten()))
}

/// The sentence for an image that is not in the list.
pub(crate) fn unknown_image(text: &str, images: &ImageList) -> String {
    let count = images.len();
    let names = if images.names().is_some() {
        " or a name that only one image can have"
    } else {
        ""
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

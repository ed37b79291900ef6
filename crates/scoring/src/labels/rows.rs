//! Label sets on their way from the rows of a file to the order of the ordinals, two bytes for an image with one label.

use std::collections::HashMap;

use super::{Labels, TestImages, missing_image, unknown_image};
use crate::classes::{Class, is_canonical_integer};
use crate::format_error::{At, Findings, FormatError};
use crate::image_order::ImageOrder;
use crate::images::ImageList;

/// Marks in the place of a class, all above [`crate::classes::MAX_CLASSES`].
const MISSING: u16 = u16::MAX;
const SKIPPED: u16 = u16::MAX - 1;
const SEVERAL: u16 = u16::MAX - 2;

/// Label sets by position.
#[derive(Default)]
pub(super) struct Sets {
    one: Vec<u16>,
    several: HashMap<usize, Vec<Class>>,
}

impl Sets {
    fn missing(len: usize) -> Self {
        Self {
            one: vec![MISSING; len],
            several: HashMap::new(),
        }
    }

    fn put(&mut self, position: usize, set: &[Class]) {
        self.one[position] = match set {
            [] => SKIPPED,
            [class] => class.0,
            _ => {
                self.several.insert(position, set.to_vec());
                SEVERAL
            }
        };
    }

    fn push(&mut self, set: &[Class]) {
        self.one.push(MISSING);
        self.put(self.one.len() - 1, set);
    }

    fn is_missing(&self, position: usize) -> bool {
        self.one[position] == MISSING
    }

    /// The labels, in the order of `positions`, or as they are.
    fn into_labels(mut self, positions: Option<&[u32]>) -> Labels {
        let len = self.one.len();
        let is_simple = !self.one.iter().any(|&mark| mark >= SEVERAL);
        if positions.is_none() && is_simple {
            return Labels {
                offsets: (0..=u32::try_from(len).unwrap_or(u32::MAX)).collect(),
                classes: self.one.into_iter().map(Class).collect(),
            };
        }
        let mut labels = Labels {
            offsets: Vec::with_capacity(len + 1),
            classes: Vec::with_capacity(len),
        };
        labels.offsets.push(0);
        for place in 0..len {
            let position = positions.map_or(place, |positions| positions[place] as usize);
            match self.one[position] {
                SKIPPED | MISSING => {}
                SEVERAL => {
                    let several = self.several.remove(&position);
                    labels.classes.extend(several.unwrap_or_default());
                }
                class => labels.classes.push(Class(class)),
            }
            // A set has at most MAX_CLASSES classes and a line 16 KiB, so that only a file of 2^33 bytes comes near.
            let end = u32::try_from(labels.classes.len()).unwrap_or(u32::MAX);
            labels.offsets.push(end);
        }
        labels
    }
}

/// How a file says which image a row is about.
#[derive(Clone, Copy)]
pub(super) enum Image<'t> {
    /// In words: an ordinal or a name.
    Called(&'t str),
    /// By the place of the row.
    At(usize),
}

/// The rows of a file.
pub(super) enum Rows<'a> {
    /// Of images that are known, by ordinal.
    Listed(&'a ImageList, Sets),
    /// Of images that only the file knows, in its order: all of them by ordinal so far.
    Ordinals(Vec<u32>, Sets, ImageOrder),
    /// The same with names.
    Names(Vec<String>, Sets, ImageOrder),
}

impl<'a> Rows<'a> {
    pub(super) fn new(images: TestImages<'a>) -> Self {
        match images {
            TestImages::Listed(list) => Self::Listed(list, Sets::missing(list.len())),
            TestImages::Defined(order) => Self::Ordinals(Vec::new(), Sets::default(), order),
        }
    }

    /// Whether a bare number is an ordinal and needs no look at names.
    pub(super) fn are_ordinals(&self) -> bool {
        match self {
            Self::Listed(list, _) => list.is_counted_by_place(),
            Self::Ordinals(..) => true,
            Self::Names(..) => false,
        }
    }

    /// Adds a row whose image is certainly meant by its ordinal; false where it has to be looked at closely.
    pub(super) fn add_plain(&mut self, ordinal: u32, class: Class) -> bool {
        match self {
            Self::Listed(_, sets) => match sets.one.get_mut(ordinal as usize) {
                Some(place) if *place == MISSING => {
                    *place = class.0;
                    true
                }
                _ => false,
            },
            Self::Ordinals(ordinals, sets, _) => {
                ordinals.push(ordinal);
                sets.one.push(class.0);
                true
            }
            Self::Names(..) => false,
        }
    }

    /// Adds a row. An error is a sentence about it.
    pub(super) fn add(&mut self, image: Image<'_>, set: &[Class]) -> Result<(), String> {
        let image = match (image, &mut *self) {
            (Image::Called(image), _) => image,
            (Image::At(place), Self::Listed(list, sets)) => {
                if place >= list.len() {
                    return Err(format!(
                        "after the last; there are {} test images",
                        list.len()
                    ));
                }
                sets.put(place, set);
                return Ok(());
            }
            (Image::At(place), Self::Ordinals(ordinals, sets, _)) => {
                ordinals.push(u32::try_from(place).map_err(|_| "too many".to_owned())?);
                sets.push(set);
                return Ok(());
            }
            (Image::At(_), Self::Names(..)) => {
                return Err("no name; the rows before have names".to_owned());
            }
        };
        match self {
            Self::Listed(list, sets) => {
                let ordinal = list
                    .resolve(image)
                    .ok_or_else(|| unknown_image(image, list))?;
                if !sets.is_missing(ordinal as usize) {
                    return Err(repeated(list, ordinal));
                }
                sets.put(ordinal as usize, set);
            }
            Self::Ordinals(ordinals, sets, order) => match image.parse() {
                Ok(ordinal) if is_canonical_integer(image) => {
                    ordinals.push(ordinal);
                    sets.push(set);
                }
                _ => {
                    let mut names: Vec<String> = ordinals.iter().map(u32::to_string).collect();
                    names.push(image.to_owned());
                    let mut sets = std::mem::take(sets);
                    sets.push(set);
                    *self = Self::Names(names, sets, *order);
                }
            },
            Self::Names(names, sets, _) => {
                names.push(image.to_owned());
                sets.push(set);
            }
        }
        Ok(())
    }

    /// The labels in the order of the ordinals; each image must have exactly one row. `at` is where a row stands in the file, by its
    /// number from 0, or where the file ends.
    pub(super) fn arrange(
        self,
        at: impl Fn(usize) -> At,
    ) -> Result<(Labels, ImageList), FormatError> {
        let (images, sets, positions) = match self {
            Self::Listed(list, sets) => {
                let absent = (0..list.len())
                    .filter(|&image| sets.is_missing(image))
                    .count();
                if let Some(first) = (0..list.len()).find(|&image| sets.is_missing(image)) {
                    let detail = missing_image(first, absent, list);
                    return Err(FormatError::at(at(list.len() - absent), detail));
                }
                let labels = sets.into_labels(None);
                return Ok((labels, list.clone()));
            }
            Self::Ordinals(ordinals, sets, _) => {
                let images = ImageList::ordinals(ordinals.len());
                let positions = positions(&ordinals, &images, &at)?;
                (images, sets, positions)
            }
            Self::Names(names, sets, order) => {
                let mut sorted = names.clone();
                sorted.sort_unstable_by(|a, b| order.compare(a, b));
                sorted.dedup();
                let images = ImageList::named(sorted)
                    .map_err(|error| FormatError::whole(error.to_string()))?;
                let ordinals: Vec<u32> = {
                    let known = images.names().unwrap_or_default();
                    let ordinal = |name: &String| {
                        let found = known.binary_search_by(|known| order.compare(known, name));
                        // Every name is there: the list was made of them.
                        u32::try_from(found.unwrap_or_default()).unwrap_or_default()
                    };
                    names.iter().map(ordinal).collect()
                };
                drop(names);
                let positions = positions(&ordinals, &images, &at)?;
                (images, sets, positions)
            }
        };
        let labels = sets.into_labels(positions.as_deref());
        Ok((labels, images))
    }
}

fn repeated(images: &ImageList, ordinal: u32) -> String {
    format!(
        "image {} has a line already",
        images.describe(ordinal as usize)
    )
}

/// By ordinal, the row that each image has; none where the rows are in the order of the ordinals.
fn positions(
    ordinals: &[u32],
    images: &ImageList,
    at: &impl Fn(usize) -> At,
) -> Result<Option<Vec<u32>>, FormatError> {
    if ordinals.len() == images.len()
        && (0..)
            .zip(ordinals)
            .all(|(place, &ordinal)| place == ordinal)
    {
        return Ok(None);
    }
    let mut findings = Findings::default();
    let mut rows = vec![u32::MAX; images.len()];
    for (row, &ordinal) in (0_u32..).zip(ordinals) {
        match rows.get_mut(ordinal as usize) {
            None => findings.push(
                at(row as usize),
                unknown_image(&ordinal.to_string(), images),
            )?,
            Some(place) if *place != u32::MAX => {
                findings.push(at(row as usize), repeated(images, ordinal))?;
            }
            Some(place) => *place = row,
        }
    }
    findings.finish()?;
    if let Some(missing) = rows.iter().position(|&row| row == u32::MAX) {
        let absent = rows.iter().filter(|&&row| row == u32::MAX).count();
        return Err(FormatError::at(
            at(images.len()),
            missing_image(missing, absent, images),
        ));
    }
    Ok(Some(rows))
}

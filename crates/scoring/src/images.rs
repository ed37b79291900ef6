//! Which test images there are: their number and, where files may call them by name, their names.

mod numbers;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::classes::is_canonical_integer;
use numbers::Numbers;

/// Why a list of image names is refused; each variant is a sentence with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageListError {
    #[error("image {0} has an empty name: give every image a name, or none")]
    Empty(usize),
    #[error("two images are called `{0}`: rename one")]
    Repeated(String),
    #[error(
        "image {ordinal} is called `{name}`, which would be read as the ordinal of another image: give it a name that is not a number, for example `image-{name}`"
    )]
    Number { ordinal: usize, name: String },
    #[error("{0} images: a test set has at most 4,294,967,295")]
    TooMany(usize),
}

/// The test images of a challenge, numbered from 0 (their ordinals). Cheap to clone.
#[derive(Clone, Debug)]
pub struct ImageList {
    len: usize,
    named: Option<Arc<Named>>,
}

#[derive(Debug)]
struct Named {
    names: Vec<String>,
    /// Ordinals sorted by stem, then by the whole name, made at the first look-up by name.
    by_stem: OnceLock<Vec<u32>>,
    /// Made at the first look-up by a bare number.
    numbers: OnceLock<Numbers>,
}

impl ImageList {
    /// `n` images without names.
    pub fn ordinals(n: usize) -> Self {
        Self {
            len: n,
            named: None,
        }
    }

    /// Images with names, in the order of their ordinals. A name that is a canonical integer must be its own ordinal.
    pub fn named(names: Vec<String>) -> Result<Self, ImageListError> {
        if u32::try_from(names.len()).is_err() {
            return Err(ImageListError::TooMany(names.len()));
        }
        let mut seen = HashSet::with_capacity(names.len());
        for (ordinal, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(ImageListError::Empty(ordinal));
            }
            if is_canonical_integer(name) && *name != ordinal.to_string() {
                return Err(ImageListError::Number {
                    ordinal,
                    name: name.clone(),
                });
            }
            if !seen.insert(name.as_str()) {
                return Err(ImageListError::Repeated(name.clone()));
            }
        }
        drop(seen);
        Ok(Self {
            len: names.len(),
            named: Some(Arc::new(Named {
                names,
                by_stem: OnceLock::new(),
                numbers: OnceLock::new(),
            })),
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The names in the order of the ordinals, if the images have any.
    pub fn names(&self) -> Option<&[String]> {
        self.named.as_deref().map(|named| named.names.as_slice())
    }

    /// The ordinal of the image that a file calls `text`: an ordinal from 0, or a name with or without folder and extension where
    /// only one image can be meant. None for a bare number that is one image's place and another's name.
    pub fn resolve(&self, text: &str) -> Option<u32> {
        if !is_canonical_integer(text) {
            return self.named.as_ref()?.resolve(text);
        }
        let place = self.place(text);
        match (place, &self.named) {
            (None, Some(named)) => named.resolve(text),
            (Some(_), _) if self.two_readings(text).is_some() => None,
            _ => place,
        }
    }

    /// Whether every bare number is its place and nothing else, so that nobody has to ask [`ImageList::resolve`].
    pub(crate) fn is_counted_by_place(&self) -> bool {
        let named = |named: &Arc<Named>| matches!(named.numbers(), Numbers::AsPlaced);
        self.named.as_ref().is_none_or(named)
    }

    /// The image in the place that a bare number says, and the other one whose name says it.
    pub(crate) fn two_readings(&self, text: &str) -> Option<(u32, u32)> {
        let place = self.place(text)?;
        let named = self.named.as_ref()?.numbers().ordinal(place.into())?;
        (named != place).then_some((place, named))
    }

    /// The place that a canonical integer says.
    fn place(&self, text: &str) -> Option<u32> {
        let place = text
            .parse::<u32>()
            .ok()
            .filter(|_| is_canonical_integer(text));
        place.filter(|&place| (place as usize) < self.len)
    }

    /// A name that whoever wrote `text` may have meant: the same but for folder, extension or case, else the first.
    pub(crate) fn example(&self, text: &str) -> Option<&str> {
        let names = self.names()?;
        // Windows writes folders with backslashes.
        let text = text.rsplit('\\').next().unwrap_or(text);
        let wanted = [Name::of(text).stem, Name::without_extension(text).stem];
        let alike = |name: &&String| {
            let stem = Name::of(name).stem;
            wanted
                .iter()
                .any(|wanted| stem.eq_ignore_ascii_case(wanted))
        };
        names
            .iter()
            .find(alike)
            .or(names.first())
            .map(String::as_str)
    }

    /// The image as a sentence names it: `7`, or ``7 (`cat.png`)``.
    pub(crate) fn describe(&self, ordinal: usize) -> String {
        match self.names().and_then(|names| names.get(ordinal)) {
            Some(name) => format!("{ordinal} (`{name}`)"),
            None => ordinal.to_string(),
        }
    }
}

impl Named {
    fn numbers(&self) -> &Numbers {
        self.numbers.get_or_init(|| Numbers::of(&self.names))
    }

    fn resolve(&self, text: &str) -> Option<u32> {
        let by_stem = self.by_stem.get_or_init(|| {
            let mut order: Vec<u32> = (0..).take(self.names.len()).collect();
            order.sort_by_key(|&ordinal| Name::key(&self.names[ordinal as usize]));
            order
        });
        // A whole name is one image's alone, however many it would fit without folder and extension.
        let whole = by_stem.binary_search_by_key(&Name::key(text), |&ordinal| {
            Name::key(&self.names[ordinal as usize])
        });
        if let Ok(place) = whole {
            return Some(by_stem[place]);
        }
        let mut found = None;
        // `img.1` may be the image `img` with extension `1`, or `img.1` without its `.png`.
        for wanted in [Name::of(text), Name::without_extension(text)] {
            let name = |ordinal: u32| Name::of(&self.names[ordinal as usize]);
            let first = by_stem.partition_point(|&ordinal| name(ordinal).stem < wanted.stem);
            for &ordinal in by_stem[first..]
                .iter()
                .take_while(|&&ordinal| name(ordinal).stem == wanted.stem)
            {
                if name(ordinal).agrees_with(&wanted) {
                    if found.is_some_and(|other| other != ordinal) {
                        return None;
                    }
                    found = Some(ordinal);
                }
            }
        }
        found
    }
}

/// A name in three parts: `val/cat.png` is the stem `cat` with the folder `val` and the extension `png`.
struct Name<'t> {
    folder: Option<&'t str>,
    stem: &'t str,
    extension: Option<&'t str>,
}

impl<'t> Name<'t> {
    fn of(text: &'t str) -> Self {
        let name = Self::without_extension(text);
        match name.stem.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => Self {
                stem,
                extension: Some(extension),
                ..name
            },
            _ => name,
        }
    }

    /// What names are sorted by.
    fn key(text: &'t str) -> (&'t str, &'t str) {
        (Self::of(text).stem, text)
    }

    fn without_extension(text: &'t str) -> Self {
        match text.rsplit_once('/') {
            Some((folder, stem)) => Self {
                folder: Some(folder),
                stem,
                extension: None,
            },
            None => Self {
                folder: None,
                stem: text,
                extension: None,
            },
        }
    }

    /// Whether both can mean the same image: what both state of folder and extension is the same.
    fn agrees_with(&self, other: &Name<'_>) -> bool {
        let compatible = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
        compatible(self.folder, other.folder) && compatible(self.extension, other.extension)
    }
}

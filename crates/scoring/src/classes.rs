//! The classes of a challenge: what `classes.txt` lists, line i (from 0) being class i.

mod foreign;
mod wider;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub(crate) use foreign::is_wnid;
pub use wider::{Over, WiderClasses, WiderClassesError};

use crate::predictions::{Purpose, refuse_by_leading_bytes_as};

/// Class indices are stored as `PostgreSQL`'s `int2`.
pub const MAX_CLASSES: usize = 32_767;

/// A class: its index from 0 in the challenge's class list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Class(pub u16);

/// One line of a class list: a name and, optionally, a second identifier such as a WNID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassEntry {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Why a class list is refused; each variant is a sentence with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassListError {
    #[error("the class list is empty: write one class name per line")]
    Empty,
    #[error("{0} classes, but a challenge has at most {MAX_CLASSES}")]
    TooMany(usize),
    #[error(
        "class {0} has an empty name or id: every line needs a name, and a tab only where an id follows it"
    )]
    Blank(usize),
    #[error(
        "class {class} is called `{name}`: names and ids may not hold `|`, tabs or line breaks, nor start or end with blanks"
    )]
    Unwritable { class: usize, name: String },
    #[error(
        "classes {first} and {second} are both called `{name}`: names and ids must differ, for example `{name} (2)`"
    )]
    Repeated {
        first: usize,
        second: usize,
        name: String,
    },
    #[error(
        "class {class} is called `{name}`, which would be read as the index of another class: rename it, for example `class {name}`"
    )]
    Number { class: usize, name: String },
    #[error(
        "line {0} has more than two tab-separated columns: a line is a name, or a name, a tab and an id"
    )]
    Columns(usize),
    /// The sentence about a file that is something else than a list of names.
    #[error("{0}")]
    Foreign(String),
}

/// The classes of a challenge, in order, with the names and ids by which files may call them.
#[derive(Clone, Debug)]
pub struct ClassList {
    entries: Vec<ClassEntry>,
    by_name: HashMap<String, Class>,
    /// Names such as `001`, which a spreadsheet reads and writes back as 1.
    by_number: HashMap<usize, Class>,
    counted: bool,
}

impl ClassList {
    /// Checks the entries: at least one, at most [`MAX_CLASSES`], all names and ids different, none a canonical integer other than
    /// its own position (it would be taken for an index).
    pub fn new(entries: Vec<ClassEntry>) -> Result<Self, ClassListError> {
        if entries.is_empty() {
            return Err(ClassListError::Empty);
        }
        if entries.len() > MAX_CLASSES {
            return Err(ClassListError::TooMany(entries.len()));
        }
        let mut by_name = HashMap::with_capacity(entries.len());
        let mut by_number = HashMap::new();
        for (class, entry) in (0_u16..).zip(&entries) {
            for name in std::iter::once(&entry.name).chain(entry.id.as_ref()) {
                check_name(name, class.into())?;
                if is_canonical_integer(name) {
                    // Its own index: `resolve` asks for no name.
                    continue;
                }
                if let Some(number) = number_in_a_spreadsheet(name) {
                    by_number.entry(number).or_insert(Class(class));
                }
                match by_name.insert(name.clone(), Class(class)) {
                    Some(Class(first)) if first != class => {
                        return Err(ClassListError::Repeated {
                            first: first.into(),
                            second: class.into(),
                            name: name.clone(),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(Self {
            entries,
            by_name,
            by_number,
            counted: true,
        })
    }

    /// Reads the bytes of a class list, as [`ClassList::parse`] reads their text.
    ///
    /// # Errors
    /// Names what is no text for what it is.
    pub fn read(bytes: &[u8]) -> Result<Self, ClassListError> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let known = refuse_by_leading_bytes_as(Purpose::Classes, bytes);
            ClassListError::Foreign(known.unwrap_or_else(|| {
                "this is not UTF-8; save the class list as plain text in UTF-8".to_owned()
            }))
        })?;
        if let Some(sentence) = refuse_by_leading_bytes_as(Purpose::Classes, bytes) {
            return Err(ClassListError::Foreign(sentence));
        }
        Self::parse(text)
    }

    /// Reads `classes.txt`: one class per line, an id after a tab if there is one. A byte-order mark and CRLF are tolerated.
    /// What other tools write is read where it is certain: `id2label` and other JSON, CSV with a header, lines of a WNID and words.
    pub fn parse(text: &str) -> Result<Self, ClassListError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(entries) = foreign::entries(text)? {
            return Self::new(entries);
        }
        let text = text.trim_end_matches(['\n', '\r']);
        let entries = text.lines().enumerate().map(|(line, text)| {
            let mut columns = text.split('\t').map(|column| column.trim().to_owned());
            let name = columns.next().unwrap_or_default();
            let id = columns.next();
            match columns.next() {
                Some(_) => Err(ClassListError::Columns(line + 1)),
                None => Ok(ClassEntry { name, id }),
            }
        });
        Self::new(entries.collect::<Result<_, _>>()?)
    }

    /// `n` classes named `0` to `n - 1`, for scoring without a class file.
    ///
    /// # Panics
    /// If `n` is 0 or more than [`MAX_CLASSES`].
    pub fn numbered(n: usize) -> Self {
        let entries = (0..n)
            .map(|class| ClassEntry {
                name: class.to_string(),
                id: None,
            })
            .collect();
        Self::new(entries)
            .expect("numbers are distinct names and the caller gives 1 to MAX_CLASSES of them")
    }

    /// As many classes as a file turns out to have, for scoring offline where nobody says how many there are: every index below
    /// [`MAX_CLASSES`] is a class, and a score matrix may have any number of columns.
    pub fn uncounted() -> Self {
        Self {
            counted: false,
            ..Self::numbered(MAX_CLASSES)
        }
    }

    /// Whether the number of classes is known; false for [`ClassList::uncounted`] only.
    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    /// Number of classes, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a class list is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn entries(&self) -> &[ClassEntry] {
        &self.entries
    }

    /// The class that a file calls `text`: a canonical integer is an index from 0, anything else a name or an id. None for a number
    /// that is one class's index and, without its zeros, another's name.
    pub fn resolve(&self, text: &str) -> Option<Class> {
        if is_canonical_integer(text) {
            if self.two_readings(text).is_some() {
                return None;
            }
            return text.parse().ok().and_then(|index| self.class(index));
        }
        self.by_name.get(text).copied()
    }

    /// Whether every number is an index and nothing else.
    pub(crate) fn is_counted_by_index(&self) -> bool {
        self.by_number.is_empty()
    }

    /// The class with the index that a canonical integer says, and the other one whose name a spreadsheet would make it of.
    pub(crate) fn two_readings(&self, text: &str) -> Option<(Option<Class>, Class)> {
        let number = text.parse().ok()?;
        let (index, named) = (self.class(number), *self.by_number.get(&number)?);
        (index != Some(named)).then_some((index, named))
    }

    /// Whether a class has this name or id when case is not looked at.
    pub(crate) fn resolve_whatever_its_case(&self, text: &str) -> bool {
        let alike = |name: &String| name.eq_ignore_ascii_case(text);
        (self.entries.iter())
            .any(|entry| alike(&entry.name) || entry.id.as_ref().is_some_and(alike))
    }

    /// The name or id that is this but for case, and for blanks and marks between its words.
    pub(crate) fn named_alike(&self, text: &str) -> Option<&str> {
        let letters = |text: &str| -> String {
            let kept = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-');
            text.chars()
                .filter(kept)
                .flat_map(char::to_lowercase)
                .collect()
        };
        let wanted = letters(text);
        if !wanted.contains(char::is_alphabetic) {
            return None;
        }
        let mut names =
            (self.entries.iter()).flat_map(|entry| std::iter::once(&entry.name).chain(&entry.id));
        let alike = names.find(|name| letters(name) == wanted);
        alike.map(String::as_str)
    }

    /// Whether the classes are known by WNIDs, and then whether these ascend, as torchvision, timm, Keras and Caffe order ImageNet.
    pub(crate) fn wnids_ascend(&self) -> Option<bool> {
        let wnid = |entry: &ClassEntry| {
            let name = entry
                .id
                .iter()
                .chain([&entry.name])
                .find(|name| is_wnid(name))?;
            Some(name.clone())
        };
        let wnids: Option<Vec<String>> = self.entries.iter().map(wnid).collect();
        Some(wnids?.is_sorted())
    }

    /// The class with this index from 0, if there is one.
    pub(crate) fn class(&self, index: usize) -> Option<Class> {
        u16::try_from(index)
            .ok()
            .filter(|_| index < self.len())
            .map(Class)
    }
}

fn check_name(name: &str, class: usize) -> Result<(), ClassListError> {
    if name.is_empty() {
        return Err(ClassListError::Blank(class));
    }
    if name.contains(['|', '\t', '\n', '\r']) || name.trim() != name {
        return Err(ClassListError::Unwritable {
            class,
            name: name.to_owned(),
        });
    }
    if is_canonical_integer(name) && name != class.to_string() {
        return Err(ClassListError::Number {
            class,
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// The number that a spreadsheet makes of a name, `1` of `001` or of `1.0`, and writes back in its place.
fn number_in_a_spreadsheet(name: &str) -> Option<usize> {
    let (digits, zeros) = name.split_once('.').unwrap_or((name, ""));
    let is_number =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && zeros.bytes().all(|byte| byte == b'0');
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Whether `text` is an integer as the formats write it: ASCII digits, no sign, no leading zero.
pub(crate) fn is_canonical_integer(text: &str) -> bool {
    match text.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

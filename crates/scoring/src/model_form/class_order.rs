//! Which class each of a model's columns is.

use std::collections::HashMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::classes::{Class, ClassList, MAX_CLASSES};

/// The order of a model's columns.
///
/// ILSVRC's own ids and the sorted-WNID order of torchvision, timm and `ReaL` differ; with the wrong one nearly all is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassOrder {
    /// Column i is class i of the challenge.
    #[default]
    Challenge,
    /// The classes in the order of their ids.
    Wnid,
    /// The class of each column by name, id or index.
    #[serde(untagged)]
    Listed(Vec<String>),
}

/// Why an order is refused; each variant is a sentence with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassOrderError {
    #[error(
        "`{0}` is no order: write challenge, wnid, or the classes in the order of the model's columns, one a line"
    )]
    Unknown(String),
    #[error("{0} lines; a challenge has at most {MAX_CLASSES} classes")]
    TooMany(usize),
    #[error(
        "wnid orders classes by their ids, but class {class} (`{name}`) of this challenge has none: list the classes in a file"
    )]
    NoId { class: usize, name: String },
    #[error("{found} lines, but this challenge has {expected} classes: name each on a line")]
    Count { found: usize, expected: usize },
    #[error(
        "line {line}: no class is called `{name}`; expected a class index from 0, a name or an id"
    )]
    NoSuchClass { line: usize, name: String },
    #[error("line {second}: `{name}` is the class of line {first} too; name each class once")]
    Repeated {
        first: usize,
        second: usize,
        name: String,
    },
}

impl FromStr for ClassOrder {
    type Err = ClassOrderError;

    /// Reads `challenge`, `wnid`, or a list with one class a line (CRLF and a byte-order mark are tolerated).
    fn from_str(text: &str) -> Result<Self, ClassOrderError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        match text {
            "challenge" => return Ok(Self::Challenge),
            "wnid" => return Ok(Self::Wnid),
            _ => {}
        }
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        match lines.len() {
            0 | 1 => Err(ClassOrderError::Unknown(text.chars().take(60).collect())),
            lines if lines > MAX_CLASSES => Err(ClassOrderError::TooMany(lines)),
            _ => Ok(Self::Listed(lines)),
        }
    }
}

impl ClassOrder {
    /// The class of each column, from column 0 on: a permutation of `classes`.
    ///
    /// # Errors
    /// A class without an id, or a list that does not name each class of the challenge once.
    pub fn columns(&self, classes: &ClassList) -> Result<Vec<Class>, ClassOrderError> {
        let in_order = || (0_u16..).map(Class).take(classes.len());
        match self {
            Self::Challenge => Ok(in_order().collect()),
            Self::Wnid => {
                let mut by_id = Vec::with_capacity(classes.len());
                for (class, entry) in in_order().zip(classes.entries()) {
                    let id = entry.id.as_deref().ok_or_else(|| ClassOrderError::NoId {
                        class: class.0.into(),
                        name: entry.name.clone(),
                    })?;
                    by_id.push((id, class));
                }
                by_id.sort_unstable_by_key(|&(id, _)| id);
                Ok(by_id.into_iter().map(|(_, class)| class).collect())
            }
            Self::Listed(names) => listed(names, classes),
        }
    }
}

fn listed(names: &[String], classes: &ClassList) -> Result<Vec<Class>, ClassOrderError> {
    if names.len() != classes.len() {
        return Err(ClassOrderError::Count {
            found: names.len(),
            expected: classes.len(),
        });
    }
    let mut line_of = HashMap::with_capacity(names.len());
    let mut columns = Vec::with_capacity(names.len());
    for (line, name) in (1..).zip(names) {
        let name = || name.chars().take(60).collect::<String>();
        let class = classes
            .resolve(&names[line - 1])
            .ok_or_else(|| ClassOrderError::NoSuchClass { line, name: name() })?;
        if let Some(first) = line_of.insert(class, line) {
            return Err(ClassOrderError::Repeated {
                first,
                second: line,
                name: name(),
            });
        }
        columns.push(class);
    }
    Ok(columns)
}

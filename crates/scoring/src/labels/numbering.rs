//! Whether labels that are numbers count from 0 or from 1.

use super::{ABSENT_CLASSES, shown_name};
use crate::classes::{Class, ClassList};
use crate::format_error::FormatError;
use crate::labels::Labels;
use crate::predictions::Notice;

/// So many labels a class, on average, make a class that never occurs remarkable.
const LABELS_PER_CLASS: usize = 2;

/// How the rows of a file wrote their classes.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether any class was written as its name or id.
    pub names: bool,
    /// The least and the greatest index among those that are classes.
    pub indices: Option<(usize, usize)>,
    /// Whether the index after the last was met, which is none.
    pub one_beyond: bool,
}

impl Written {
    pub(super) fn index(&mut self, index: usize) {
        let (least, greatest) = self.indices.unwrap_or((index, index));
        self.indices = Some((least.min(index), greatest.max(index)));
    }

    /// Adds to an error about an index that is one too large what is behind it, where 0 never occurs.
    pub(super) fn explain(&self, mut error: FormatError) -> FormatError {
        if self.one_beyond && !self.names && self.indices.is_some_and(|(least, _)| least > 0) {
            error.detail.push_str(". These labels look numbered from 1: subtract 1, or write the names of the classes");
        }
        error
    }
}

/// Refuses labels that are all right from 0 and all right from 1.
///
/// # Errors
/// Where every label is an index and class 0 never occurs although the others do: then they count from 1 just as well.
pub(super) fn refuse_two_readings(
    labels: &Labels,
    classes: &ClassList,
    written: &Written,
) -> Result<(), FormatError> {
    let Some((least, greatest)) = written.indices.filter(|_| !written.names) else {
        return Ok(());
    };
    let count = if classes.is_counted() {
        classes.len()
    } else {
        greatest + 1
    };
    let occurring = occurrences(labels, count)
        .iter()
        .filter(|&&count| count > 0)
        .count();
    let is_dense = 2 * occurring >= count && labels.scored() >= LABELS_PER_CLASS * count;
    // Where classes are called by their indices, a number is a name.
    let is_name = classes.is_counted() && classes.entries()[0].name == "0";
    if least == 0 || count < 3 || !is_dense || is_name {
        return Ok(());
    }
    let called = |class: usize| match classes.entries().get(class) {
        Some(entry) if classes.is_counted() && entry.name != class.to_string() => {
            format!("class {class} (`{}`)", shown_name(&entry.name))
        }
        _ => format!("class {class}"),
    };
    Err(FormatError::whole(format!(
        "the labels run from {least} to {greatest} and {} never occurs: they look numbered from 1, and class indices count from 0; subtract 1, or, if they are right, write the names of the classes",
        called(0)
    )))
}

/// What to say about classes that no image has.
pub(super) fn classes_that_never_occur(labels: &Labels, classes: &ClassList) -> Option<Notice> {
    if !classes.is_counted() {
        return None;
    }
    let occurrences = occurrences(labels, classes.len());
    let absent: Vec<usize> = (0..classes.len())
        .filter(|&class| occurrences[class] == 0)
        .collect();
    let first = *absent.first()?;
    let named = format!("{first} (`{}`)", shown_name(&classes.entries()[first].name));
    let detail = match absent.len() {
        1 => format!("class {named} never occurs among the labels"),
        several => format!(
            "{several} of {} classes never occur among the labels, the first of them class {named}",
            classes.len()
        ),
    };
    Some(Notice {
        code: ABSENT_CLASSES.to_owned(),
        detail,
    })
}

fn occurrences(labels: &Labels, classes: usize) -> Vec<u32> {
    let mut occurrences = vec![0; classes];
    for &Class(class) in &labels.classes {
        if let Some(count) = occurrences.get_mut(usize::from(class)) {
            *count += 1;
        }
    }
    occurrences
}

//! The headers under which CSV files keep labels.

use crate::classes::ClassList;
use crate::csv;
use crate::labels::shown;

const EXPECTED: &str = "expected the header `image,label`";

/// Where a row has its image and its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub image: usize,
    pub label: usize,
    /// The label is Kaggle's prediction string: groups of a class and the four integers of a box.
    pub boxes: bool,
}

impl Columns {
    /// `image,label`.
    pub(super) const PLAIN: Self = Self {
        image: 0,
        label: 1,
        boxes: false,
    };
}

const IMAGE: [&str; 16] = [
    "image",
    "imageid",
    "image_id",
    "img",
    "id",
    "filename",
    "file_name",
    "file",
    "name",
    "path",
    "filepath",
    "file_path",
    "image_name",
    "image_path",
    "imagename",
    "index",
];
const LABEL: [&str; 16] = [
    "label",
    "labels",
    "class",
    "class_id",
    "classid",
    "class_name",
    "category",
    "category_id",
    "target",
    "y",
    "wnid",
    "synset",
    "prediction",
    "predictions",
    "ground_truth",
    "answer",
];

impl Columns {
    /// # Errors
    /// A sentence about the header.
    pub(super) fn of_header(line: &str, classes: &ClassList) -> Result<Self, String> {
        let refused =
            |remedy: &str| Err::<Self, _>(format!("{EXPECTED}, found `{}`{remedy}", shown(line)));
        let Ok(cells) = csv::cells(line)
            .map(|cell| cell.map(|cell| cell.trim().to_ascii_lowercase()))
            .collect::<Result<Vec<String>, _>>()
        else {
            return refused(csv::remedy_of_header(line));
        };
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        if cells == ["imageid", "predictionstring"] {
            return Ok(Self {
                image: 0,
                label: 1,
                boxes: true,
            });
        }
        let plain = |image, label| {
            Ok(Self {
                image,
                label,
                boxes: false,
            })
        };
        if let [first, second] = cells[..] {
            if IMAGE.contains(&first) && LABEL.contains(&second) {
                return plain(0, 1);
            }
            if LABEL.contains(&first) && IMAGE.contains(&second) {
                return plain(1, 0);
            }
        }
        let remedy = csv::remedy_of_header(line);
        if !remedy.is_empty() {
            return refused(remedy);
        }
        if csv::is_header_of_scores(&cells, classes) {
            return refused(
                "; this looks like a table of scores, a column for each class: labels are one class a row, such as table.idxmax(axis=1)",
            );
        }
        let image = cells.iter().find(|cell| IMAGE.contains(cell));
        let label = cells.iter().find(|cell| LABEL.contains(cell));
        match (image, label) {
            (Some(image), Some(label)) if cells.len() > 2 => refused(&format!(
                "; keep the two columns `{image}` and `{label}`, and no other"
            )),
            _ => refused(&without_header(line, &cells, classes)),
        }
    }
}

/// What to do about a first line that is a row already: its last cell is a class.
fn without_header(line: &str, cells: &[&str], classes: &ClassList) -> String {
    let is_class = |cell: &str| classes.resolve_whatever_its_case(cell.trim());
    let is_index = |cell: &str| classes.resolve(cell.trim()).is_some();
    match cells {
        [_, label] if is_class(label) || is_index(label) => {
            "; the first line is a row already: put the header above it, `sed '1i image,label' OLD >NEW`".to_owned()
        }
        [label] if is_class(label) => {
            "; this looks like one class a line: number the lines, `awk 'BEGIN {print \"image,label\"} {print NR-1 \",\" $0}' OLD >NEW`".to_owned()
        }
        [_] if line.rsplit_once([' ', '\t']).is_some_and(|(_, label)| is_class(label)) => {
            "; separate the columns by commas and put the header above them, `sed -E -e '1i image,label' -e 's/[[:blank:]]+([^[:blank:]]+)$/,\\1/' OLD >NEW`".to_owned()
        }
        _ => String::new(),
    }
}

/// The classes of Kaggle's prediction string: each group is a class and a box, and several boxes may be of one class.
pub(super) fn without_boxes(text: &str) -> Result<Vec<&str>, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let is_side = |side: &&str| side.parse::<f64>().is_ok();
    let (groups, rest) = words.as_chunks::<5>();
    let are_boxes = rest.is_empty()
        && !groups.is_empty()
        && groups
            .iter()
            .all(|[class, side @ ..]| side.iter().all(is_side) && class.parse::<f64>().is_err());
    let mut classes: Vec<&str> = if are_boxes {
        groups.iter().map(|[class, ..]| *class).collect()
    } else if words.len() > 1 {
        return Err(format!(
            "{} words; expected groups of a class and the four integers of a box",
            words.len()
        ));
    } else {
        words
    };
    let mut seen = std::collections::HashSet::new();
    classes.retain(|class| seen.insert(*class));
    Ok(classes)
}

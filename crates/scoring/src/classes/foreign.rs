//! Class lists as other tools keep them: read where they can mean one thing only, else named for what they are.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{ClassEntry, ClassListError, is_canonical_integer};
use crate::csv;

type Entries = Result<Option<Vec<ClassEntry>>, ClassListError>;

/// The classes of a list that is not one name a line; none where it is that.
pub(super) fn entries(text: &str) -> Entries {
    let found = match text.trim_start().as_bytes() {
        [b'{' | b'[', ..] => json(text)?,
        _ => None,
    };
    let found = match found {
        Some(entries) => Some(entries),
        None => match wnids_first(text) {
            Some(entries) => Some(entries),
            None => table(text)?,
        },
    };
    if found.is_none() {
        refuse_what_is_known(text)?;
    }
    Ok(found.map(told_apart).or_else(|| unquoted(text)))
}

fn refused<T>(sentence: impl Into<String>) -> Result<T, ClassListError> {
    Err(ClassListError::Foreign(sentence.into()))
}

const JSON_FORMS: &str = "known are `id2label` ({\"0\": name, …}), `label2id` ({name: 0, …}), Keras's class index ({\"0\": [id, name], …}) and a list of names";

/// `id2label`, `label2id`, a config that holds one of them, `imagenet_class_index.json`, or a list of names.
fn json(text: &str) -> Entries {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if text.trim_start().starts_with("{0:") => {
            return refused(
                "this is a Python dictionary: write it as JSON, `python3 -c \"import ast,json,sys; print(json.dumps(ast.literal_eval(sys.stdin.read())))\" <OLD >NEW`",
            );
        }
        Err(error) if looks_like_json(text) => {
            return refused(format!(
                "this looks like JSON, but it is none ({error}): write one class name per line, or mend it; {JSON_FORMS}"
            ));
        }
        Err(_) => return Ok(None),
    };
    let entries = match value {
        Value::Object(object) => of_object(object),
        Value::Array(values) => values.into_iter().map(of_value).collect(),
        _ => None,
    };
    match entries {
        Some(entries) if !entries.is_empty() => Ok(Some(entries)),
        _ => refused(format!(
            "this is JSON of a form that is not known: write one class name per line; {JSON_FORMS}"
        )),
    }
}

/// Whether what cannot be read as JSON was meant to be it: a name may start with a bracket too.
fn looks_like_json(text: &str) -> bool {
    let inside = text.trim_start()[1..].trim_start();
    inside.starts_with(['"', '{', '[']) || text.trim_end().ends_with(['}', ']'])
}

fn of_object(mut object: Map<String, Value>) -> Option<Vec<ClassEntry>> {
    for key in ["id2label", "label2id", "class_to_idx"] {
        if let Some(Value::Object(inner)) = object.remove(key) {
            return of_object(inner);
        }
    }
    let by_index = object.iter().all(|(key, _)| is_canonical_integer(key));
    let mut places = vec![None; object.len()];
    for (key, value) in object {
        let (index, entry) = if by_index {
            (key.parse().ok()?, of_value(value)?)
        } else {
            (usize::try_from(value.as_u64()?).ok()?, named(&key))
        };
        if places.get_mut(index)?.replace(entry).is_some() {
            return None;
        }
    }
    places.into_iter().collect()
}

/// A name, `[id, name]`, or `{"name": …, "id": …}`.
fn of_value(value: Value) -> Option<ClassEntry> {
    match value {
        Value::String(name) => Some(named(&name)),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(id), Value::String(name)] => Some(identified(id, name)),
            _ => None,
        },
        Value::Object(_) => {
            let mut entry: ClassEntry = serde_json::from_value(value).ok()?;
            entry.name = entry.name.trim().to_owned();
            Some(entry)
        }
        _ => None,
    }
}

fn named(name: &str) -> ClassEntry {
    ClassEntry {
        name: name.trim().to_owned(),
        id: None,
    }
}

fn identified(id: &str, name: &str) -> ClassEntry {
    ClassEntry {
        name: name.trim().to_owned(),
        id: Some(id.trim().to_owned()),
    }
}

/// `synset_words.txt` and `LOC_synset_mapping.txt`: on every line a WNID, then the words; or CSV without a header, in either order.
fn wnids_first(text: &str) -> Option<Vec<ClassEntry>> {
    let entry = |id: &str, words: &str| {
        let words = words.trim();
        let words = (words.strip_prefix('"').and_then(|it| it.strip_suffix('"'))).unwrap_or(words);
        (is_wnid(id) && !words.is_empty() && !words.contains('\t') && !is_wnid(words))
            .then(|| identified(id, words))
    };
    let first = |line: &str| {
        let (id, words) = line.trim().split_once([' ', '\t', ',', ';'])?;
        entry(id, words)
    };
    let last = |line: &str| {
        let (words, id) = line.trim().rsplit_once([',', ';'])?;
        entry(id.trim(), words)
    };
    let lines = || text.trim_end().lines();
    let of_first: Option<Vec<ClassEntry>> = lines().map(first).collect();
    of_first.or_else(|| lines().map(last).collect())
}

/// `n` and eight digits, as `WordNet`'s offsets are written.
pub(crate) fn is_wnid(text: &str) -> bool {
    matches!(text.as_bytes(), [b'n', digits @ ..] if digits.len() == 8 && digits.iter().all(u8::is_ascii_digit))
}

/// What a column of a table with a header is.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    Index,
    Name,
    Id,
    /// An index where it counts, else an identifier.
    IndexOrId,
}

impl Column {
    fn of(header: &str) -> Option<Self> {
        Some(match header.to_ascii_lowercase().as_str() {
            "" | "unnamed: 0" | "index" | "idx" | "class_index" | "class_idx" | "label_id"
            | "class_id" | "classid" | "label_index" | "number" => Self::Index,
            "name" | "class" | "class_name" | "classname" | "label" | "label_name" | "category"
            | "words" | "description" | "title" => Self::Name,
            "wnid" | "synset" | "synset_id" | "code" => Self::Id,
            "id" => Self::IndexOrId,
            _ => return None,
        })
    }
}

/// CSV, or the same with semicolons or tabs, under a header in which every column is known.
fn table(text: &str) -> Entries {
    let mut lines = text.trim_end().lines();
    let header = lines.next().unwrap_or_default();
    let Some(separator) = [',', ';', '\t'].into_iter().find(|c| header.contains(*c)) else {
        return Ok(None);
    };
    let split = |line: &str| -> Option<Vec<String>> {
        if separator == ',' {
            return csv::cells(line)
                .map(|cell| cell.ok().map(Into::into))
                .collect();
        }
        Some(
            line.split(separator)
                .map(|cell| cell.trim().trim_matches('"').to_owned())
                .collect(),
        )
    };
    let columns: Option<Vec<Column>> =
        split(header).and_then(|cells| cells.iter().map(|cell| Column::of(cell)).collect());
    let Some(mut columns) = columns.filter(|columns| columns.contains(&Column::Name)) else {
        let rows: Option<Vec<Vec<String>>> = lines.map(split).collect();
        return match (split(header), rows) {
            (Some(header_cells), Some(rows)) if is_unknown_header(&header_cells, &rows) => {
                refused(format!(
                    "line 1, `{header}`, looks like a header, which would be class 0, and its columns are not known: call them `index`, `id` and `name`, or write one class name per line"
                ))
            }
            _ => Ok(None),
        };
    };
    let mut rows = Vec::new();
    for (line, number) in lines.zip(2..) {
        match split(line) {
            Some(cells) if cells.len() == columns.len() => rows.push(cells),
            _ => {
                return refused(format!(
                    "line {number} does not have the {} columns of the header `{header}`; a name that holds a comma needs quotes",
                    columns.len()
                ));
            }
        }
    }
    // `label,class_name`: of several columns that may be names, one that counts is none.
    let may_be_names =
        |columns: &[Column]| columns.iter().filter(|it| **it == Column::Name).count();
    for column in 0..columns.len() {
        if columns[column] == Column::Name
            && may_be_names(&columns) > 1
            && counted(&rows, column).is_some()
        {
            columns[column] = Column::Index;
        }
    }
    let place = |wanted: Column| columns.iter().position(|column| *column == wanted);
    let counts = |column: usize| counted(&rows, column);
    let index = match (place(Column::Index), place(Column::IndexOrId)) {
        (Some(column), _) => Some(counts(column).ok_or_else(|| {
            ClassListError::Foreign(format!(
                "column {} of the header `{header}` should count the classes from 0 or from 1, without a gap: mend it, or write one class name per line",
                column + 1
            ))
        })?),
        (None, Some(column)) => counts(column),
        (None, None) => None,
    };
    let id = place(Column::Id)
        .or(place(Column::IndexOrId).filter(|_| index.is_none() || place(Column::Index).is_some()));
    let Some(name) = place(Column::Name) else {
        return Ok(None);
    };
    let entry = |cells: &Vec<String>| match id {
        Some(id) => identified(&cells[id], &cells[name]),
        None => named(&cells[name]),
    };
    let mut entries: Vec<Option<ClassEntry>> = vec![None; rows.len()];
    for (row, cells) in rows.iter().enumerate() {
        let place = index.as_ref().map_or(row, |index| index[row]);
        entries[place] = Some(entry(cells));
    }
    Ok(entries.into_iter().collect())
}

/// Whether rows of several cells have a column that counts or of WNIDs, and the line above them does neither.
fn is_unknown_header(header: &[String], rows: &[Vec<String>]) -> bool {
    let is_header = |column: usize| {
        let is_index = counted(rows, column).is_some() && header[column].parse::<usize>().is_err();
        let is_id = rows.iter().all(|cells| is_wnid(&cells[column])) && !is_wnid(&header[column]);
        is_index || is_id
    };
    rows.len() > 1
        && rows.iter().all(|cells| cells.len() == header.len())
        && (0..header.len()).any(is_header)
}

/// The places that a column says, if it counts all rows from 0 or from 1.
fn counted(rows: &[Vec<String>], column: usize) -> Option<Vec<usize>> {
    let numbers: Vec<usize> = (rows.iter())
        .map(|cells| cells[column].parse().ok())
        .collect::<Option<_>>()?;
    let first = *numbers.iter().min()?;
    let places: Vec<usize> = numbers.iter().map(|number| number - first).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    (first <= 1 && sorted.into_iter().eq(0..rows.len())).then_some(places)
}

/// Words that share a name (two ImageNet classes are called `crane`) get their ids behind them.
fn told_apart(mut entries: Vec<ClassEntry>) -> Vec<ClassEntry> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for entry in &entries {
        *uses.entry(entry.name.clone()).or_default() += 1;
    }
    for entry in &mut entries {
        if let Some(id) = &entry.id
            && uses[&entry.name] > 1
        {
            entry.name = format!("{} ({id})", entry.name);
        }
    }
    entries
}

/// One name a line, all of them in quotes.
fn unquoted(text: &str) -> Option<Vec<ClassEntry>> {
    let name = |line: &str| {
        let inside = line.trim().strip_prefix('"')?.strip_suffix('"')?;
        (!inside.is_empty()).then(|| named(&inside.replace("\"\"", "\"")))
    };
    text.trim_end().lines().map(name).collect()
}

/// A header over the only column would become a class; so would every number in front of a name.
fn refuse_what_is_known(text: &str) -> Result<(), ClassListError> {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
    let first = lines.first().copied().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    if ["<!doctype", "<html", "<?xml"]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        return refused(
            "this is HTML or XML, perhaps an error page: write one class name per line",
        );
    }
    if lower.starts_with("item {") || lower == "item{" {
        return refused(
            "this is a TensorFlow label map: write one class name per line, in the order of the ids",
        );
    }
    if lower.starts_with("names:") || lower.starts_with("nc:") || lower == "---" {
        return refused("this is YAML: write one class name per line, in the order of the numbers");
    }
    if lines.len() == 1 && first.matches([',', ';']).count() > 1 {
        return refused(
            "all classes stand on one line: write one class name per line, `tr ',;' '\\n\\n' <OLD >NEW`",
        );
    }
    let comments = lines.iter().filter(|line| line.starts_with("# ")).count();
    if comments == 1 && lower.starts_with("# ") {
        return refused(format!(
            "line 1, `{first}`, looks like a comment, which would be class 0: delete that line"
        ));
    }
    if lines.len() > 1 && lines.iter().all(|line| line.starts_with("- ")) {
        return refused(
            "every line begins with `- `, as a list in YAML or Markdown, which would be part of the name: leave it out, `sed 's/^ *- *//' OLD >NEW`",
        );
    }
    let header = [
        "class",
        "classes",
        "class_name",
        "classname",
        "class name",
        "labels",
        "label_name",
        "category",
        "names",
    ];
    if lines.len() > 2 && header.contains(&lower.trim_matches('"')) {
        return refused(format!(
            "line 1, `{first}`, looks like a header, which would be class 0: delete that line"
        ));
    }
    let number = |line: &&str| {
        let end = line.find(|c: char| !c.is_ascii_digit())?;
        let is_separated = line[end..].starts_with([' ', '\t', ',', ':', ';', '.', ')']);
        let number: usize = line[..end].parse().ok()?;
        is_separated.then_some(number)
    };
    let numbers: Option<Vec<usize>> = lines.iter().map(number).collect();
    if let Some(numbers) = numbers.filter(|numbers| numbers.len() > 2)
        && numbers[0] <= 1
        && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
    {
        return refused(
            "every line begins with its number, which would be part of the name: leave the numbers out, `sed 's/^[0-9]*[^[:alnum:]]*//' OLD >NEW`",
        );
    }
    Ok(())
}

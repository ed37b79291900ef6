//! The synsets in the devkit's `meta.mat`, a MATLAB file of level 5: as much of that format as it uses.

use std::collections::HashMap;
use std::io::Read as _;

use anyhow::{Context as _, bail, ensure};
use flate2::read::ZlibDecoder;
use referee_scoring::ClassEntry;

/// Before the first element.
const HEADER: usize = 128;
/// The devkit's is 100 KB compressed and 2 MB otherwise.
const LARGEST: u64 = 64 << 20;

const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The classes in the order of their ILSVRC ids: the synsets without children.
pub(super) fn synsets(file: &[u8]) -> anyhow::Result<Vec<ClassEntry>> {
    ensure!(
        file.get(126..128) == Some(b"IM"),
        "it is no MATLAB file of level 5 in little-endian order; in MATLAB: save('meta.mat', 'synsets', '-v7')"
    );
    let mut rest = &file[HEADER..];
    while !rest.is_empty() {
        let (kind, data) = element(&mut rest)?;
        let mut inflated = Vec::new();
        let matrix = match kind {
            COMPRESSED => {
                ZlibDecoder::new(data)
                    .take(LARGEST)
                    .read_to_end(&mut inflated)
                    .context("it is damaged")?;
                let mut inside = inflated.as_slice();
                element(&mut inside)?.1
            }
            MATRIX => data,
            _ => continue,
        };
        if let Value::Struct(rows) = value(matrix, 0)?
            && rows.first().is_some_and(|row| row.contains_key("WNID"))
        {
            return classes(rows);
        }
    }
    bail!(
        "it holds no table of synsets with WNIDs; give the meta.mat of the devkit's `data` folder"
    )
}

fn classes(rows: Vec<HashMap<String, Value>>) -> anyhow::Result<Vec<ClassEntry>> {
    let mut classes = Vec::new();
    for row in rows {
        let number = |name: &str| match row.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let text = |name: &str| match row.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let id = (row.keys()).find(|name| name.starts_with("ILSVRC") && name.ends_with("_ID"));
        let place = id.and_then(|id| number(id));
        let (Some(place), Some(wnid), Some(words)) = (place, text("WNID"), text("words")) else {
            bail!("a synset lacks its ILSVRC id, its WNID or its words");
        };
        if number("num_children").unwrap_or(0.0) == 0.0 {
            classes.push((
                place,
                ClassEntry {
                    name: words,
                    id: Some(wnid),
                },
            ));
        }
    }
    classes.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut entries: Vec<ClassEntry> = classes.into_iter().map(|(_, entry)| entry).collect();
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for entry in &mut entries {
        let is_shared = names.iter().filter(|name| **name == entry.name).count() > 1;
        if let Some(id) = entry.id.as_ref().filter(|_| is_shared) {
            entry.name = format!("{} ({id})", entry.name);
        }
    }
    Ok(entries)
}

enum Value {
    Struct(Vec<HashMap<String, Value>>),
    Text(String),
    /// The first of an array.
    Number(f64),
    Other,
}

const DAMAGED: &str = "it ends early, or is damaged";
/// Structs within structs; the devkit's has one.
const DEEPEST: usize = 4;

fn value(mut matrix: &[u8], depth: usize) -> anyhow::Result<Value> {
    ensure!(depth < DEEPEST, "{DAMAGED}");
    if matrix.is_empty() {
        return Ok(Value::Other);
    }
    let (_, flags) = element(&mut matrix)?;
    let (_, dimensions) = element(&mut matrix)?;
    let (_, _name) = element(&mut matrix)?;
    let class = *flags.first().context(DAMAGED)?;
    let length = dimensions
        .chunks_exact(4)
        .map(little_endian)
        .fold(1, usize::saturating_mul);
    match class {
        2 => {
            let (_, width) = element(&mut matrix)?;
            let width = width.get(..4).map(little_endian).context(DAMAGED)?;
            ensure!(width > 0, "{DAMAGED}");
            let (_, names) = element(&mut matrix)?;
            let names: Vec<String> = (names.chunks_exact(width))
                .map(|name| text(name.split(|&byte| byte == 0).next().unwrap_or_default()))
                .collect();
            let mut rows = Vec::new();
            for _ in 0..length {
                let mut row = HashMap::new();
                for name in &names {
                    let (_, field) = element(&mut matrix)?;
                    row.insert(name.clone(), value(field, depth + 1)?);
                }
                ensure!(!names.is_empty(), "{DAMAGED}");
                rows.push(row);
            }
            Ok(Value::Struct(rows))
        }
        4 => {
            let (kind, data) = element(&mut matrix)?;
            Ok(Value::Text(match kind {
                4 | 17 => {
                    let units: Vec<u16> = data
                        .as_chunks::<2>()
                        .0
                        .iter()
                        .map(|unit| u16::from_le_bytes(*unit))
                        .collect();
                    String::from_utf16_lossy(&units)
                }
                _ => text(data),
            }))
        }
        6..=15 => {
            let (kind, data) = element(&mut matrix)?;
            Ok(number(kind, data).map_or(Value::Other, Value::Number))
        }
        _ => Ok(Value::Other),
    }
}

/// Takes the next element: its type and its data. Elements begin at multiples of eight bytes; a short one is within its tag.
fn element<'f>(rest: &mut &'f [u8]) -> anyhow::Result<(u32, &'f [u8])> {
    let tag = rest.get(..8).context(DAMAGED)?;
    let word = u32::from_le_bytes([tag[0], tag[1], tag[2], tag[3]]);
    if word >> 16 != 0 {
        let length = (word >> 16) as usize;
        let data = tag.get(4..4 + length).context(DAMAGED)?;
        *rest = &rest[8..];
        return Ok((word & 0xffff, data));
    }
    let length = little_endian(&tag[4..]);
    let data = rest[8..].get(..length).context(DAMAGED)?;
    // Only compressed elements are followed by the next without a gap.
    let padded = if word == COMPRESSED {
        length
    } else {
        length.next_multiple_of(8)
    };
    *rest = rest[8..].get(padded..).unwrap_or_default();
    Ok((word, data))
}

fn number(kind: u32, data: &[u8]) -> Option<f64> {
    Some(match (kind, data) {
        (1, [byte, ..]) => f64::from(i8::from_le_bytes([*byte])),
        (2, [byte, ..]) => f64::from(*byte),
        (3, [a, b, ..]) => f64::from(i16::from_le_bytes([*a, *b])),
        (4, [a, b, ..]) => f64::from(u16::from_le_bytes([*a, *b])),
        (5, [a, b, c, d, ..]) => f64::from(i32::from_le_bytes([*a, *b, *c, *d])),
        (6, [a, b, c, d, ..]) => f64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        (7, [a, b, c, d, ..]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
        (9, bytes) => f64::from_le_bytes(*bytes.first_chunk()?),
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn little_endian(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(4)
        .rev()
        .fold(0, |value, &byte| value << 8 | usize::from(byte))
}

//! The header of numpy's `.npy` format (versions 1 to 3), read and written.

use std::fmt;

/// The first six bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// numpy's own limit is 10,000; nobody's header of a plain array comes near it.
pub(crate) const MAX_HEADER: usize = 16 * 1024;

/// What kind of number an array holds, and in how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Signed,
    Unsigned,
    Float,
}

/// The element type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtype {
    pub kind: Kind,
    pub bytes: usize,
    pub big_endian: bool,
}

impl fmt::Display for Dtype {
    /// numpy's own name, such as `int32` or `float64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Signed => "int",
            Kind::Unsigned => "uint",
            Kind::Float => "float",
        };
        write!(f, "{kind}{}", self.bytes * 8)
    }
}

/// Element type and shape of an array in C order, and where its elements begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// Bytes before the first element.
    pub data_offset: usize,
}

/// Why a header is refused; each variant is a sentence with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("not an NPY file: write it with np.save")]
    Magic,
    #[error("the NPY header is cut off or damaged: write the file again with np.save")]
    Damaged,
    #[error("the array is stored in Fortran order: save np.ascontiguousarray(array)")]
    FortranOrder,
    #[error(
        "the array holds Python objects, which only pickle can read: save numbers, for example array.astype(np.int32)"
    )]
    Objects,
    #[error(
        "dtype {0} is not accepted: save integers or float16, float32 or float64, for example array.astype(np.float32)"
    )]
    Dtype(String),
}

impl Header {
    /// Reads the header at the beginning of a file; `head` must hold all of it (at most 16 KiB, usually 128 bytes).
    pub fn parse(head: &[u8]) -> Result<Self, HeaderError> {
        let rest = head.strip_prefix(MAGIC).ok_or(HeaderError::Magic)?;
        let (prefix, length) = match *rest {
            [1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
            [2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([a, b, c, d]) as usize),
            _ => return Err(HeaderError::Damaged),
        };
        if prefix + length > MAX_HEADER {
            return Err(HeaderError::Damaged);
        }
        let data_offset = prefix + length;
        let text = head.get(prefix..data_offset).ok_or(HeaderError::Damaged)?;
        let text = std::str::from_utf8(text).map_err(|_| HeaderError::Damaged)?;
        let dtype = dtype(value(text, "descr").ok_or(HeaderError::Damaged)?)?;
        let shape =
            shape(value(text, "shape").ok_or(HeaderError::Damaged)?).ok_or(HeaderError::Damaged)?;
        let order = value(text, "fortran_order").ok_or(HeaderError::Damaged)?;
        if order.starts_with("True") && shape.len() > 1 {
            return Err(HeaderError::FortranOrder);
        }
        Ok(Self {
            dtype,
            shape,
            data_offset,
        })
    }

    /// The shape as numpy prints it, such as `[10000, 5]`.
    pub fn shape_text(&self) -> String {
        format!("{:?}", self.shape)
    }
}

/// The text after `'key':` in numpy's dict literal.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let quoted = |quote: char| {
        let name = format!("{quote}{key}{quote}");
        text.find(&name).map(|at| &text[at + name.len()..])
    };
    let rest = quoted('\'').or_else(|| quoted('"'))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn dtype(text: &str) -> Result<Dtype, HeaderError> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let Some(quote) = quote else {
        return Err(HeaderError::Dtype("with named fields".to_owned()));
    };
    let descr = text[1..].split(quote).next().unwrap_or_default();
    let refused = || HeaderError::Dtype(format!("`{descr}`"));
    if descr.contains('O') {
        return Err(HeaderError::Objects);
    }
    let mut characters = descr.chars();
    let order = characters.next().ok_or_else(refused)?;
    let kind = match characters.next().ok_or_else(refused)? {
        'i' => Kind::Signed,
        'u' => Kind::Unsigned,
        'f' => Kind::Float,
        _ => return Err(refused()),
    };
    let bytes = match (kind, characters.as_str()) {
        (Kind::Signed | Kind::Unsigned, "1") => 1,
        (_, "2") => 2,
        (_, "4") => 4,
        (_, "8") => 8,
        _ => return Err(refused()),
    };
    let big_endian = match order {
        '<' | '|' | '=' => false,
        '>' => true,
        _ => return Err(refused()),
    };
    Ok(Dtype {
        kind,
        bytes,
        big_endian,
    })
}

fn shape(text: &str) -> Option<Vec<u64>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    inside
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.trim_end_matches('L').parse().ok())
        .collect()
}

/// The header, version 1.0, of an array of `descr` elements (such as `<i4`) in C order, padded to a multiple of 64 bytes.
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let dict = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        sizes.join(", ")
    );
    let unpadded = MAGIC.len() + 4 + dict.len() + 1;
    let length = dict.len() + 1 + unpadded.next_multiple_of(64) - unpadded;
    let length = u16::try_from(length).expect("a few sizes are far shorter than 64 KiB");
    let mut header = [MAGIC, &[1, 0], &length.to_le_bytes(), dict.as_bytes()].concat();
    header.resize(MAGIC.len() + 4 + usize::from(length) - 1, b' ');
    header.push(b'\n');
    header
}

//! Marker segments: what a file says before, between and after its scans (T.81, annex B).

use super::entropy::Huffman;

/// What the following scans are decoded with; a later segment replaces an earlier one's.
#[derive(Default)]
pub(super) struct Tables {
    /// In zigzag order.
    pub quantization: [Option<[u16; 64]>; 4],
    pub dc: [Option<Huffman>; 4],
    pub ac: [Option<Huffman>; 4],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
}

/// SOF: the picture and its components.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub is_progressive: bool,
    pub height: usize,
    pub width: usize,
    pub components: Vec<Component>,
}

#[derive(Clone, Debug)]
pub(super) struct Component {
    pub id: u8,
    pub horizontal: usize,
    pub vertical: usize,
    /// Which quantization table.
    pub quantization: usize,
}

/// SOS: which components are coded, and which part of their coefficients.
pub(super) struct Scan {
    /// Index into the frame's components, DC table, AC table.
    pub components: Vec<(usize, usize, usize)>,
    /// Coefficients `start..=end` in zigzag order.
    pub start: usize,
    pub end: usize,
    /// Successive approximation: the bit position before (0 in the first scan) and after.
    pub high: u32,
    pub low: u32,
}

/// How the components become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Gray,
    YCbCr,
    Rgb,
    /// Inverted, as Adobe writes it and Pillow expects it.
    Cmyk,
    Ycck,
}

pub(super) enum Segment {
    Frame(Frame),
    Scan(Scan),
}

/// The segments of a file, in order.
pub(super) struct Segments<'f> {
    file: &'f [u8],
    at: usize,
    frame: Option<Frame>,
    pub tables: Tables,
    is_jfif: bool,
    /// The transform that Adobe's segment names.
    adobe: Option<u8>,
}

impl<'f> Segments<'f> {
    pub fn new(file: &'f [u8]) -> Self {
        Self {
            file,
            at: 2,
            frame: None,
            tables: Tables::default(),
            is_jfif: false,
            adobe: None,
        }
    }

    /// What comes after the last segment.
    pub fn rest(&self) -> &'f [u8] {
        &self.file[self.at.min(self.file.len())..]
    }

    pub fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next frame or scan; none at the end of the picture.
    pub fn next(&mut self) -> Result<Option<Segment>, String> {
        loop {
            let Some(marker) = self.marker() else {
                return Ok(None);
            };
            match marker {
                0xd9 => return Ok(None),
                // Without a length: restarts, TEM, another SOI.
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let body = self.body().ok_or("is a JPEG that is cut off")?;
            match marker {
                0xc4 => self
                    .huffman_tables(body)
                    .ok_or("is a JPEG with a damaged Huffman table")?,
                0xdb => self
                    .quantization_tables(body)
                    .ok_or("is a JPEG with a damaged quantization table")?,
                0xdd => {
                    let [high, low, ..] = *body else {
                        return Err("is a JPEG with a damaged restart interval".to_owned());
                    };
                    self.tables.restart_interval = u16::from_be_bytes([high, low]).into();
                }
                0xc0..=0xc2 => {
                    let frame = frame(body, marker == 0xc2)?;
                    self.frame = Some(frame.clone());
                    return Ok(Some(Segment::Frame(frame)));
                }
                0xc3 | 0xc5..=0xcf => {
                    return Err("is a lossless, hierarchical or arithmetically coded JPEG; save it as a common one".to_owned());
                }
                0xda => {
                    let frame = self.frame.as_ref().ok_or("is a JPEG without a frame")?;
                    let scan = scan(body, frame).ok_or("is a JPEG with a damaged scan")?;
                    return Ok(Some(Segment::Scan(scan)));
                }
                0xe0 => self.is_jfif |= body.starts_with(b"JFIF\0"),
                0xee if body.starts_with(b"Adobe") => self.adobe = body.get(11).copied(),
                _ => {}
            }
        }
    }

    /// What the components are, decided as libjpeg does.
    pub fn color(&self, frame: &Frame) -> Color {
        let ids: Vec<u8> = frame
            .components
            .iter()
            .map(|component| component.id)
            .collect();
        match (ids.as_slice(), self.is_jfif, self.adobe) {
            ([_], ..) => Color::Gray,
            ([_, _, _], false, Some(0)) | ([b'R', b'G', b'B'], false, None) => Color::Rgb,
            ([_, _, _], ..) => Color::YCbCr,
            (_, _, None | Some(0)) => Color::Cmyk,
            _ => Color::Ycck,
        }
    }

    /// The next marker's code; garbage before it is skipped.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let start = self.rest().iter().position(|&byte| byte == 0xff)?;
            self.at += start;
            let fill = self.rest().iter().take_while(|&&byte| byte == 0xff).count();
            self.at += fill;
            let code = *self.rest().first()?;
            self.at += 1;
            if code != 0 {
                return Some(code);
            }
        }
    }

    fn body(&mut self) -> Option<&'f [u8]> {
        let rest = self.rest();
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        self.at += length;
        rest.get(2..length)
    }

    fn quantization_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (precision, table) = (kind >> 4, usize::from(kind & 15));
            let bytes = if precision == 0 { 64 } else { 128 };
            let (values, rest) = rest.split_at_checked(bytes)?;
            let values: Vec<u16> = if precision == 0 {
                values.iter().copied().map(u16::from).collect()
            } else {
                values
                    .as_chunks()
                    .0
                    .iter()
                    .copied()
                    .map(u16::from_be_bytes)
                    .collect()
            };
            *self.tables.quantization.get_mut(table)? = Some(values.try_into().ok()?);
            body = rest;
        }
        Some(())
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols)?;
            let tables = match kind >> 4 {
                0 => &mut self.tables.dc,
                1 => &mut self.tables.ac,
                _ => return None,
            };
            *tables.get_mut(usize::from(kind & 15))? = Some(Huffman::new(counts, symbols)?);
            body = rest;
        }
        Some(())
    }
}

fn frame(body: &[u8], is_progressive: bool) -> Result<Frame, String> {
    let damaged = || "is a JPEG with a damaged frame".to_owned();
    let (&[precision, h1, h0, w1, w0, count], rest) =
        body.split_first_chunk().ok_or_else(damaged)?;
    if precision != 8 {
        return Err(format!("is a JPEG of {precision} bits; save it with 8"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(format!(
            "is a JPEG with {count} components; expected 1, 3 or 4"
        ));
    }
    let components = rest
        .as_chunks()
        .0
        .iter()
        .take(count.into())
        .map(|&[id, sampling, quantization]| Component {
            id,
            horizontal: usize::from(sampling >> 4),
            vertical: usize::from(sampling & 15),
            quantization: quantization.into(),
        })
        .collect::<Vec<_>>();
    let is_sane = |component: &Component| {
        (1..=4).contains(&component.horizontal)
            && (1..=4).contains(&component.vertical)
            && component.quantization < 4
    };
    if components.len() != usize::from(count) || !components.iter().all(is_sane) {
        return Err(damaged());
    }
    Ok(Frame {
        is_progressive,
        height: u16::from_be_bytes([h1, h0]).into(),
        width: u16::from_be_bytes([w1, w0]).into(),
        components,
    })
}

fn scan(body: &[u8], frame: &Frame) -> Option<Scan> {
    let (&count, rest) = body.split_first()?;
    let (selectors, rest) = rest.split_at_checked(2 * usize::from(count))?;
    let &[start, end, approximation] = rest.first_chunk()?;
    let mut components: Vec<(usize, usize, usize)> = Vec::new();
    for &[id, tables] in selectors.as_chunks().0 {
        let index = frame
            .components
            .iter()
            .position(|component| component.id == id)?;
        if components.iter().any(|&(known, ..)| known == index) {
            return None;
        }
        components.push((index, usize::from(tables >> 4), usize::from(tables & 15)));
    }
    let scan = Scan {
        components,
        start: start.into(),
        end: end.into(),
        high: u32::from(approximation >> 4),
        low: u32::from(approximation & 15),
    };
    let is_sane = if frame.is_progressive {
        let alone = scan.components.len() == 1;
        scan.start <= scan.end
            && scan.end < 64
            && scan.low <= 13
            && (scan.high == 0 || scan.high == scan.low + 1)
            && if scan.start == 0 {
                scan.end == 0
            } else {
                alone
            }
    } else {
        true
    };
    (is_sane && !scan.components.is_empty()).then_some(scan)
}

//! Coefficients from entropy-coded scans (T.81, annexes F and G).

use super::entropy::{Bits, Huffman};
use super::header::{Component, Frame, Scan, Tables};

/// The place in a block of the coefficient that comes at this place in the file.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Coefficients of one component, before they are multiplied with the quantization table.
pub(super) struct Plane {
    /// Blocks that hold pixels.
    pub blocks_wide: usize,
    pub blocks_high: usize,
    /// Blocks in a row, those that only fill up an MCU included.
    pub stride: usize,
    pub blocks: Vec<[i16; 64]>,
}

/// Collects a picture's coefficients over its scans.
pub(super) struct Decoder {
    frame: Frame,
    planes: Vec<Plane>,
    mcus_wide: usize,
    mcus_high: usize,
}

pub(super) fn natural_order(zigzag: usize) -> usize {
    ZIGZAG[zigzag & 63].into()
}

impl Decoder {
    pub fn new(frame: Frame) -> Self {
        let (horizontal, vertical) = frame.most_samples();
        let mcus_wide = frame.width.div_ceil(8 * horizontal);
        let mcus_high = frame.height.div_ceil(8 * vertical);
        let planes = frame.components.iter().map(|component| {
            let stride = mcus_wide * component.horizontal;
            let rows = mcus_high * component.vertical;
            Plane {
                blocks_wide: (frame.width * component.horizontal).div_ceil(8 * horizontal),
                blocks_high: (frame.height * component.vertical).div_ceil(8 * vertical),
                stride,
                blocks: vec![[0; 64]; stride * rows],
            }
        });
        Self {
            planes: planes.collect(),
            frame,
            mcus_wide,
            mcus_high,
        }
    }

    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    pub fn into_planes(self) -> (Frame, Vec<Plane>) {
        (self.frame, self.planes)
    }

    /// Decodes one scan of `data`; returns how many bytes it takes.
    pub fn scan(&mut self, scan: &Scan, tables: &Tables, data: &[u8]) -> Result<usize, String> {
        let missing = || "is a JPEG that lacks a Huffman table".to_owned();
        let (needs_first, needs_others) = if self.frame.is_progressive {
            (scan.start == 0 && scan.high == 0, scan.start > 0)
        } else {
            (true, true)
        };
        let mut coded = Vec::new();
        for &(index, dc, ac) in &scan.components {
            let dc = tables.dc.get(dc).and_then(Option::as_ref);
            let ac = tables.ac.get(ac).and_then(Option::as_ref);
            if (needs_first && dc.is_none()) || (needs_others && ac.is_none()) {
                return Err(missing());
            }
            coded.push((
                index,
                Coding {
                    dc,
                    ac,
                    scan,
                    is_progressive: self.frame.is_progressive,
                    predicted: 0,
                },
            ));
        }
        let mut bits = Bits::new(data);
        let mut run = 0;
        let is_alone = coded.len() == 1;
        let (wide, high) = match coded.first() {
            Some(&(index, _)) if is_alone => (
                self.planes[index].blocks_wide,
                self.planes[index].blocks_high,
            ),
            _ => (self.mcus_wide, self.mcus_high),
        };
        for mcu in 0..wide * high {
            if tables.restart_interval > 0 && mcu > 0 && mcu % tables.restart_interval == 0 {
                bits.restart();
                run = 0;
                for (_, coding) in &mut coded {
                    coding.predicted = 0;
                }
            }
            // What a damaged scan has no data for stays as it is, as in libjpeg.
            if bits.is_exhausted() {
                if bits.is_cut_off() || tables.restart_interval == 0 {
                    break;
                }
                continue;
            }
            let (row, column) = (mcu / wide, mcu % wide);
            for (index, coding) in &mut coded {
                let component = &self.frame.components[*index];
                let (horizontal, vertical) = if is_alone {
                    (1, 1)
                } else {
                    (component.horizontal, component.vertical)
                };
                let plane = &mut self.planes[*index];
                for y in 0..vertical {
                    for x in 0..horizontal {
                        let at = (row * vertical + y) * plane.stride + column * horizontal + x;
                        coding.block(&mut bits, &mut plane.blocks[at], &mut run);
                    }
                }
            }
        }
        if bits.is_cut_off() {
            return Err("is a JPEG that is cut off".to_owned());
        }
        Ok(bits.marker())
    }
}

impl Frame {
    /// The sampling factors of the components that have the most samples.
    pub fn most_samples(&self) -> (usize, usize) {
        let most =
            |factor: fn(&Component) -> usize| self.components.iter().map(factor).max().unwrap_or(1);
        (
            most(|component| component.horizontal),
            most(|component| component.vertical),
        )
    }
}

/// How one component's blocks are coded in a scan.
struct Coding<'t> {
    dc: Option<&'t Huffman>,
    ac: Option<&'t Huffman>,
    scan: &'t Scan,
    is_progressive: bool,
    /// The last block's DC coefficient.
    predicted: i32,
}

impl Coding<'_> {
    /// Adds to a block what the scan says of it. `run` counts blocks to come that have nothing more to say.
    fn block(&mut self, bits: &mut Bits<'_>, block: &mut [i16; 64], run: &mut u32) {
        if !self.is_progressive {
            self.dc_first(bits, block, 0);
            self.sequential_ac(bits, block);
        } else if self.scan.start == 0 {
            if self.scan.high == 0 {
                self.dc_first(bits, block, self.scan.low);
            } else if bits.flag() {
                block[0] |= 1 << self.scan.low;
            }
        } else if self.scan.high == 0 {
            self.ac_first(bits, block, run);
        } else {
            self.ac_refine(bits, block, run);
        }
    }

    fn dc_first(&mut self, bits: &mut Bits<'_>, block: &mut [i16; 64], low: u32) {
        if let Some(table) = self.dc {
            let size = u32::from(bits.symbol(table)).min(15);
            self.predicted = self.predicted.wrapping_add(bits.signed(size));
            block[0] = coefficient(self.predicted << low);
        }
    }

    fn sequential_ac(&mut self, bits: &mut Bits<'_>, block: &mut [i16; 64]) {
        let Some(table) = self.ac else { return };
        let mut at = 1;
        while at < 64 {
            let symbol = bits.symbol(table);
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if zeros != 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            let value = bits.signed(size);
            if at < 64 {
                block[natural_order(at)] = coefficient(value);
            }
            at += 1;
        }
    }

    fn ac_first(&mut self, bits: &mut Bits<'_>, block: &mut [i16; 64], run: &mut u32) {
        let Some(table) = self.ac else { return };
        if *run > 0 {
            *run -= 1;
            return;
        }
        let mut at = self.scan.start;
        while at <= self.scan.end {
            let symbol = bits.symbol(table);
            let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
            if size == 0 {
                if zeros < 15 {
                    *run = (1 << zeros) + bits.take(zeros.into()) - 1;
                    break;
                }
                at += 16;
                continue;
            }
            at += usize::from(zeros);
            let value = bits.signed(size);
            if at < 64 {
                block[natural_order(at)] = coefficient(value << self.scan.low);
            }
            at += 1;
        }
    }

    /// A further bit of the coefficients that are not zero, and new ones among them (T.81, figure G.7).
    fn ac_refine(&mut self, bits: &mut Bits<'_>, block: &mut [i16; 64], run: &mut u32) {
        let Some(table) = self.ac else { return };
        let bit = 1_i16 << self.scan.low;
        let mut at = self.scan.start;
        while *run == 0 && at <= self.scan.end {
            let symbol = bits.symbol(table);
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            let mut new = 0;
            if size != 0 {
                new = if bits.flag() { bit } else { -bit };
            } else if zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros.into());
                break;
            }
            while at <= self.scan.end {
                let value = &mut block[natural_order(at)];
                if *value != 0 {
                    refine(bits, value, bit);
                } else if zeros == 0 {
                    *value = new;
                    at += 1;
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
        }
        if *run > 0 {
            for at in at..=self.scan.end {
                let value = &mut block[natural_order(at)];
                if *value != 0 {
                    refine(bits, value, bit);
                }
            }
            *run -= 1;
        }
    }
}

fn refine(bits: &mut Bits<'_>, value: &mut i16, bit: i16) {
    if bits.flag() && *value & bit == 0 {
        *value = if *value >= 0 {
            value.wrapping_add(bit)
        } else {
            value.wrapping_sub(bit)
        };
    }
}

/// Sixteen bits, as libjpeg keeps them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only damaged files have more"
)]
fn coefficient(value: i32) -> i16 {
    value as i16
}

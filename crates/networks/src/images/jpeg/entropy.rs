//! Bits and Huffman codes (T.81, annexes C and F).

/// Codes up to this long are found in one look.
const LOOK: u32 = 9;

/// A Huffman table.
pub(super) struct Huffman {
    /// By the next [`LOOK`] bits: the code's length (0 if it is longer) and its symbol.
    short: Vec<(u8, u8)>,
    /// For each length from 1: the first code that is too large for it, aligned to 16 bits, and what to add to a code for its symbol.
    lengths: [(u32, i32); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    /// `counts[i]` codes are `i + 1` bits long.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut short = vec![(0, 0); 1 << LOOK];
        let mut lengths = [(0, 0); 16];
        let (mut code, mut first) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            let offset = i32::try_from(first).ok()? - i32::try_from(code).ok()?;
            for &symbol in &symbols[first..first + usize::from(count)] {
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOK {
                    let from = (code << (LOOK - length)) as usize;
                    short[from..from + (1 << (LOOK - length))]
                        .fill((u8::try_from(length).ok()?, symbol));
                }
                code += 1;
            }
            first += usize::from(count);
            lengths[length as usize - 1] = (code << (16 - length), offset);
            code <<= 1;
        }
        Some(Self {
            short,
            lengths,
            symbols: symbols.to_vec(),
        })
    }
}

/// The bits of a scan. After the last byte before a marker come zeros, as in libjpeg.
pub(super) struct Bits<'f> {
    data: &'f [u8],
    at: usize,
    /// The next `count` bits are its lowest ones.
    buffer: u64,
    count: u32,
    /// Zeros that were made up.
    missing: u32,
}

impl<'f> Bits<'f> {
    pub fn new(data: &'f [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            count: 0,
            missing: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff) | None, _) => {
                    self.missing = self.missing.saturating_add(8);
                    0
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next 16 bits, which stay.
    fn peek(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        u32::try_from(self.buffer >> (self.count - 16) & 0xffff).unwrap_or(0)
    }

    /// The next `count` bits, at most 16.
    pub fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek() >> (16 - count);
        self.count -= count;
        bits
    }

    pub fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    /// A value of `size` bits, the high half positive (T.81, figure F.12).
    pub fn signed(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = i32::try_from(self.take(size)).unwrap_or(0);
        if value < 1 << (size - 1) {
            value - (1 << size) + 1
        } else {
            value
        }
    }

    /// The next symbol; 0 for a code that is not in the table, as in libjpeg.
    pub fn symbol(&mut self, table: &Huffman) -> u8 {
        let bits = self.peek();
        let (length, symbol) = table.short[(bits >> (16 - LOOK)) as usize];
        if length > 0 {
            self.count -= u32::from(length);
            return symbol;
        }
        for (length, &(limit, offset)) in (1_u32..).zip(&table.lengths).skip(LOOK as usize) {
            if bits < limit {
                self.count -= length;
                let index = i32::try_from(bits >> (16 - length)).unwrap_or(0) + offset;
                return usize::try_from(index)
                    .ok()
                    .and_then(|index| table.symbols.get(index))
                    .copied()
                    .unwrap_or(0);
            }
        }
        self.count -= 16;
        0
    }

    /// Goes on behind the next restart marker; another marker ends the scan.
    pub fn restart(&mut self) {
        (self.buffer, self.count, self.missing) = (0, 0, 0);
        self.at = self.marker();
        if let Some([0xff, 0xd0..=0xd7]) = self.data.get(self.at..self.at + 2) {
            self.at += 2;
        } else {
            // As if one bit had been used that is not there.
            self.missing = 1;
        }
    }

    /// Whether bits were used that the scan does not have.
    pub fn is_exhausted(&self) -> bool {
        self.missing > self.count
    }

    /// Whether the file itself ended, without a marker, before bits that were used.
    pub fn is_cut_off(&self) -> bool {
        self.is_exhausted() && self.at >= self.data.len()
    }

    /// Where the next marker is, or the end.
    pub fn marker(&self) -> usize {
        let mut at = self.at;
        while let Some(found) = self
            .data
            .get(at..)
            .and_then(|rest| rest.iter().position(|&byte| byte == 0xff))
        {
            at += found;
            match self.data.get(at + 1) {
                Some(0) => at += 2,
                Some(0xff) => at += 1,
                _ => return at,
            }
        }
        self.data.len()
    }
}

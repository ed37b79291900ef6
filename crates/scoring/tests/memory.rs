//! Memory stays bounded whatever a file's size: measured as the peak resident set of this process, which is why this test is alone.
#![cfg(target_os = "linux")]

use std::io::{self, Read, Write};

use referee_scoring::{ClassList, Expected, FormatError, ImageList, Predictions, predictions};

/// Bytes of scores in the largest file.
const GIGABYTE: u64 = 1 << 30;

#[test]
fn memory_does_not_grow_with_the_file() {
    let classes = 1000;
    let images = GIGABYTE / (4 * classes);
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({images}, {classes}), }}\n");
    let mut start = b"\x93NUMPY\x01\x00".to_vec();
    start.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    start.extend(header.as_bytes());
    let scores = start.chain(Scores { state: 1 }.take(images * classes * 4));
    let allowed = (64 << 20) + 32 * images;

    let before = peak();
    let predictions = read(scores, images, classes).expect("accepted");
    assert_eq!(predictions.record.len() as u64, images);
    drop(predictions);
    let grown = peak() - before;
    assert!(grown < allowed, "grew by {grown} bytes for {images} images");

    // A gigabyte in one line, a gigabyte of lines, and a megabyte that decompresses to a gigabyte: each is refused early.
    let line = read(io::repeat(b' ').take(GIGABYTE), 3, 10).expect_err("one endless line");
    assert_eq!(line.errors.len(), 1);
    let newlines = read(io::repeat(b'\n').take(GIGABYTE), 3, 10).expect_err("endless lines");
    assert!(newlines.errors.len() <= 10);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = b"1 2 3\n".repeat(100_000);
    for _ in 0..GIGABYTE / block.len() as u64 {
        bomb.write_all(&block).expect("to memory");
    }
    let bomb = bomb.finish().expect("to memory");
    let before = peak();
    read(bomb.as_slice(), 100_000, 10).expect_err("too many lines");
    let grown = peak() - before;
    assert!(grown < 64 << 20, "grew by {grown} bytes");
}

fn read(input: impl Read, images: u64, classes: u64) -> Result<Predictions, FormatError> {
    let size = |n: u64| usize::try_from(n).expect("fits");
    let (classes, images) = (
        ClassList::numbered(size(classes)),
        ImageList::ordinals(size(images)),
    );
    predictions::read(
        input,
        &Expected {
            classes: &classes,
            images: &images,
            boxes: false,
            devkit: false,
        },
    )
}

/// An endless stream of single-precision scores between 1 and 2.
struct Scores {
    state: u32,
}

impl Read for Scores {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (cells, _) = buffer.as_chunks_mut::<4>();
        for cell in cells.iter_mut() {
            self.state = self
                .state
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            *cell = (0x3f80_0000 | self.state >> 9).to_le_bytes();
        }
        Ok(cells.len() * 4)
    }
}

/// Peak resident set of this process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("Linux reports it");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .expect("a number")
        * 1024
}

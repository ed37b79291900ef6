//! The crate's face: files in, numbers out, each number known from somewhere else.

mod accepted;
mod devkit;
mod ladder;
mod leaks;
mod leaks_innocent;
mod leaks_learnt;
mod lists;
mod model_files;
mod model_forms;
mod outcomes;
mod picture_traits;
mod properties;
mod recipes;
mod rejected;
mod rejected_arrays;
mod statistics;

use referee_scoring::{
    Class, ClassList, Expected, FormatError, ImageList, Labels, Predictions, Tally, outcome,
    predictions,
};

/// Reads a file for challenges with so many images and classes, none of them named.
fn read(bytes: &[u8], images: usize, classes: usize) -> Result<Predictions, FormatError> {
    read_as(
        bytes,
        &ImageList::ordinals(images),
        &ClassList::numbered(classes),
    )
}

fn read_as(
    bytes: &[u8],
    images: &ImageList,
    classes: &ClassList,
) -> Result<Predictions, FormatError> {
    predictions::read(
        bytes,
        &Expected {
            classes,
            images,
            boxes: false,
            devkit: false,
        },
    )
}

/// Labels with one class per image.
fn labels(classes: &[u16]) -> Labels {
    Labels::from_sets(classes.iter().map(|&class| vec![Class(class)]))
}

fn tally(predictions: &Predictions, labels: &Labels) -> Tally {
    outcome::judge(&predictions.record, labels).tally(&labels.scored_mask(), None)
}

/// An `.npy` file as numpy writes it.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let padding = 64 - (10 + dict.len() + 1) % 64;
    let length = u16::try_from(dict.len() + padding + 1).expect("a short header");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(dict.as_bytes());
    file.resize(file.len() + padding, b' ');
    file.push(b'\n');
    file.extend(data);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("writing to memory")
}

//! `cargo +nightly fuzz run image_files target/fuzz-seeds/image_files crates/networks/tests/images`: any bytes are either refused, or
//! images that are the same whether the file is read through or skipped through, each within the file, and say the same of themselves.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use referee_scoring::{ImageFile, image_files};

fuzz_target!(|file: &[u8]| {
    let bytes = file.len() as u64;
    // Skipping, the end of the last picture is not looked at; so this may accept more.
    let sought = ImageFile::read_seeking(Cursor::new(file), bytes);
    let Ok(images) = ImageFile::read(file, bytes) else {
        return;
    };
    assert_eq!(Ok(&images), sought.as_ref());
    assert!(images.len() > 0);
    match &images {
        ImageFile::Array { shape, data_offset } => {
            assert_eq!(data_offset + shape.iter().product::<usize>(), file.len());
        }
        ImageFile::Archive(pictures) => {
            assert!(pictures.is_sorted_by(|a, b| a.name <= b.name));
            for picture in pictures {
                assert!(picture.offset + picture.size <= bytes);
            }
            let sought = image_files::survey(Cursor::new(file), pictures, 0..pictures.len());
            let read = image_files::survey_stream(file, pictures, 0..pictures.len());
            assert_eq!(sought.expect("read"), read.expect("read"));
        }
    }
    if let Ok(list) = images.list() {
        assert_eq!(list.len(), images.len());
    }
});

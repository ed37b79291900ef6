//! What picture files say about themselves, in files written by hand after the standards.

use std::io::Cursor;

use referee_scoring::image_files::{Format, Traits, survey, survey_stream};
use referee_scoring::{ImageFile, PictureFile};

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2)
        .expect("short")
        .to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// Exif 2.3, section 4.6.2: byte order, 42, where the directory lies; then its fields: tag, type, count, value or where it lies.
fn exif() -> Vec<u8> {
    let field = |tag: u16, kind: u16, count: u32, value: u32| {
        [
            &tag.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &count.to_le_bytes(),
            &value.to_le_bytes(),
        ]
        .concat()
    };
    [
        &b"Exif\0\0II*\0\x08\0\0\0"[..],
        &2_u16.to_le_bytes(),
        &field(0x010e, 2, 11, 38),
        &field(0x0112, 3, 1, 6),
        &0_u32.to_le_bytes(),
        b"great white",
    ]
    .concat()
}

fn jpeg() -> Vec<u8> {
    [
        vec![0xff, 0xd8],
        segment(0xe0, b"JFIF\0\x01\x01\x01\0\x48\0\x48\0\0"),
        segment(0xe1, &exif()),
        segment(0xfe, b"seen at sea"),
        segment(0xdb, &[1; 65]),
        // 8 bits, 300 high, 400 wide, one component.
        segment(0xc0, &[8, 1, 44, 1, 144, 1, 1, 0x11, 0]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        vec![7; 100],
        vec![0xff, 0xd9],
    ]
    .concat()
}

fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&length[..], kind, content, &[0; 4]].concat()
}

fn png() -> Vec<u8> {
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 1, 0, 0, 0, 0, 128, 8, 2, 0, 0, 0]),
        chunk(b"tEXt", b"Comment\0a goldfish"),
        chunk(b"IDAT", &[9; 500]),
        chunk(b"tIME", &[7; 7]),
        b"\0\0\0\0IEND\xaeB`\x82".to_vec(),
    ]
    .concat()
}

fn tar(pictures: &[Vec<u8>]) -> (Vec<u8>, Vec<PictureFile>) {
    let mut tar = tar::Builder::new(Vec::new());
    // The last name comes first, so that the order on disk is another than that of the names.
    for (place, picture) in pictures.iter().enumerate().rev() {
        let mut header = tar::Header::new_ustar();
        header.set_size(picture.len() as u64);
        header.set_mtime(1000 + place as u64);
        header.set_uid(place as u64 % 2);
        tar.append_data(&mut header, format!("{place}.png"), picture.as_slice())
            .expect("append");
    }
    let tar = tar.into_inner().expect("a tar");
    let ImageFile::Archive(files) =
        ImageFile::read(tar.as_slice(), tar.len() as u64).expect("images")
    else {
        panic!("a tar is an archive");
    };
    (tar, files)
}

fn of(pictures: &[Vec<u8>]) -> Vec<Traits> {
    let (tar, files) = tar(pictures);
    let sought = survey(Cursor::new(&tar), &files, 0..files.len()).expect("read");
    let read = survey_stream(tar.as_slice(), &files, 0..files.len()).expect("read");
    assert_eq!(sought, read);
    assert!(
        sought
            .iter()
            .map(|(ordinal, _)| *ordinal)
            .eq(0..files.len())
    );
    sought.into_iter().map(|(_, traits)| traits).collect()
}

fn field<'a>(traits: &'a Traits, name: &str) -> Option<&'a [u8]> {
    let found = traits.fields.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_slice())
}

#[test]
fn pictures_say_their_size_and_their_metadata() {
    let traits = of(&[jpeg(), png(), jpeg()]);
    assert_eq!(traits[0], traits[2]);
    let [jpeg, png, _] = &traits[..] else {
        panic!("{traits:?}")
    };
    assert_eq!(
        (jpeg.format, jpeg.width, jpeg.height),
        (Format::Jpeg, 400, 300)
    );
    assert_eq!(
        field(jpeg, "EXIF field ImageDescription"),
        Some(&b"great white"[..])
    );
    assert_eq!(
        field(jpeg, "EXIF field 274"),
        Some(&6_u16.to_le_bytes()[..])
    );
    assert_eq!(field(jpeg, "the JPEG comment"), Some(&b"seen at sea"[..]));
    assert!(field(jpeg, "the JFIF header").is_some());
    assert_eq!(jpeg.words, ["great", "white", "seen", "at", "sea"]);
    assert_eq!((png.format, png.width, png.height), (Format::Png, 256, 128));
    assert_eq!(field(png, "PNG text `Comment`"), Some(&b"a goldfish"[..]));
    assert_eq!(
        field(png, "PNG chunk tIME"),
        Some(&[7; 7][..]),
        "behind the pixels"
    );
    assert_eq!(png.coding, [8, 2, 0, 0, 0]);
}

#[test]
fn what_is_appended_to_a_picture_is_seen() {
    for picture in [jpeg(), png()] {
        let [plain, appended] = &of(&[picture.clone(), [&picture[..], b"class 7"].concat()])[..]
        else {
            panic!("two pictures")
        };
        assert_eq!(field(plain, "what follows the picture"), None);
        assert_eq!(
            field(appended, "what follows the picture"),
            Some(&b"class 7"[..])
        );
    }
}

/// A stranger's file may say anything; it may not take time, memory or the process.
#[test]
fn a_picture_cut_off_or_damaged_anywhere_is_read_as_far_as_it_goes() {
    for picture in [jpeg(), png()] {
        let cut: Vec<Vec<u8>> = (8..picture.len())
            .map(|end| picture[..end].to_vec())
            .collect();
        assert_eq!(of(&cut).len(), cut.len());
        let damaged: Vec<Vec<u8>> = (8..picture.len())
            .flat_map(|at| {
                [0, 0x7f, 0xff].map(|byte| {
                    let mut damaged = picture.clone();
                    damaged[at] = byte;
                    damaged
                })
            })
            .collect();
        assert_eq!(of(&damaged).len(), damaged.len());
    }
}

#[test]
fn a_tar_says_when_its_files_changed_and_whose_they_are() {
    let (_, files) = tar(&[png(), png(), png()]);
    let changed: Vec<u64> = files.iter().map(|file| file.changed).collect();
    assert_eq!(changed, [1000, 1001, 1002]);
    assert_eq!(files[0].owner, files[2].owner);
    assert_ne!(files[0].owner, files[1].owner);
    assert!(files[2].offset < files[0].offset);
}

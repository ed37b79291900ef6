//! Reading arrays and tars; that pictures decode as in Pillow is compared by `scripts/lib/compare_images.py`.

use std::ops::ControlFlow;

use image::ExtendedColorType as C;
use proptest::prelude::*;
use referee_networks::images::{Color, DecodedOnDemand, Pixels as _, TestSet, decode};
use referee_scoring::model_form::Resize;

use crate::{geometry, pattern, png, save_npy, save_tar};

#[test]
fn a_tar_is_read_in_byte_order_of_its_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images.tar");
    let one = |value: u8| png(&[value; 12], 2, 2, C::Rgb8);
    save_tar(
        &path,
        &[("./b.png", one(2)), ("a.png", one(1)), ("B.png", one(0))],
    );
    let set = TestSet::open(&path).expect("a test set");
    let names = set.list().expect("names");
    assert_eq!(names.names().expect("names"), ["B.png", "a.png", "b.png"]);
    let values: Vec<u8> = (0..3)
        .map(|ordinal| set.picture(ordinal).expect("a picture").pixels[0])
        .collect();
    assert_eq!(values, [0, 1, 2]);
}

/// As Pillow 13.0's `convert('RGB')`: alpha is dropped, of 16-bit colour the high byte is read, 16-bit gray is cut at 255.
#[test]
fn pngs_of_every_depth() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images.tar");
    let sixteen = |values: &[u16]| {
        values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect::<Vec<u8>>()
    };
    let files = [
        ("0.png", png(&[9], 1, 1, C::L8)),
        ("1.png", png(&[9, 0], 1, 1, C::La8)),
        ("2.png", png(&[1, 2, 3], 1, 1, C::Rgb8)),
        ("3.png", png(&[1, 2, 3, 0], 1, 1, C::Rgba8)),
        ("4.png", png(&sixteen(&[300]), 1, 1, C::L16)),
        (
            "5.png",
            png(&sixteen(&[0x0102, 0x0203, 0x03ff]), 1, 1, C::Rgb16),
        ),
        (
            "6.png",
            png(&sixteen(&[0x0102, 0x0203, 0x03ff, 0]), 1, 1, C::Rgba16),
        ),
    ];
    save_tar(&path, &files);
    let set = TestSet::open(&path).expect("a test set");
    let pixels = DecodedOnDemand::new(&set, geometry(Color::Rgb, None, None)).expect("pixels");
    assert_eq!(pixels.shape(), [7, 1, 1, 3]);
    assert_eq!(
        pixels.read(0..7).expect("decoded").as_ref(),
        [
            9, 9, 9, 9, 9, 9, 1, 2, 3, 1, 2, 3, 255, 255, 255, 1, 2, 3, 1, 2, 3
        ]
    );
}

#[test]
fn pictures_of_different_sizes_need_a_crop() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images.tar");
    save_tar(
        &path,
        &[
            ("a.png", png(&[0; 4], 2, 2, C::L8)),
            ("b.png", png(&[0; 6], 2, 3, C::L8)),
        ],
    );
    let set = TestSet::open(&path).expect("a test set");
    let read = |resize, crop| {
        let pixels =
            DecodedOnDemand::new(&set, geometry(Color::Gray, resize, crop)).expect("pixels");
        pixels
            .read(0..2)
            .map(|pixels| pixels.len())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        read(None, None),
        Err("the images have different sizes (the first makes 2×2 pixels, another of 2×3 makes 2×3): give `resize` as [height, width], or `crop`".to_owned())
    );
    assert_eq!(read(Some(Resize::ShortSide(4)), Some(4)), Ok(32));
}

#[test]
fn files_that_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images");
    let refusal = |path: &std::path::Path| {
        let error = TestSet::open(path).err().expect("refused").to_string();
        error.replace(&path.display().to_string(), "FILE")
    };
    std::fs::write(&path, "hello").expect("a file");
    assert_eq!(
        refusal(&path),
        "FILE cannot be used: it is neither an NPY array nor a tar; give uint8 [N,H,W] or [N,H,W,C] written by np.save, or an uncompressed tar of JPEG and PNG files"
    );
    save_npy(&path, &[2, 3], &[0; 6]);
    assert_eq!(
        refusal(&path),
        "FILE cannot be used: the array has shape [2, 3]; images are [N,H,W], or [N,H,W,C] with 1 to 4 channels last"
    );
    save_npy(&path, &[2, 3, 4], &[0; 23]);
    assert_eq!(
        refusal(&path),
        "FILE cannot be used: an array of shape [2, 3, 4] and its header do not fill 151 bytes; the file is cut off or damaged: save it again"
    );
    save_tar(&path, &[("a.txt", b"text".to_vec())]);
    assert_eq!(
        refusal(&path),
        "FILE cannot be used: `a.txt` in the tar is neither JPEG nor PNG; put only pictures in it"
    );

    let mut cut = png(&[7; 300], 10, 10, C::Rgb8);
    cut.truncate(60);
    save_tar(&path, &[("cut.png", cut)]);
    let error = TestSet::open(&path)
        .expect("a test set")
        .picture(0)
        .expect_err("cut off")
        .to_string();
    assert!(
        error.starts_with("image 0 (`cut.png`) is no PNG that can be decoded: "),
        "{error}"
    );
}

#[test]
fn a_look_at_all_pictures_names_those_that_cannot_be_decoded() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images");
    let whole = png(&[7; 300], 10, 10, C::Rgb8);
    let name = |at: usize| format!("{at:03}.png");
    let save = |broken: &[usize]| {
        let files: Vec<(String, Vec<u8>)> = (0..150)
            .map(|at| {
                let length = if broken.contains(&at) {
                    60
                } else {
                    whole.len()
                };
                (name(at), whole[..length].to_vec())
            })
            .collect();
        let files: Vec<(&str, Vec<u8>)> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        save_tar(&path, &files);
        TestSet::open(&path).expect("a test set")
    };
    let mut tried = 0;
    let fine = save(&[]).check(|so_far| {
        assert!(so_far > tried);
        tried = so_far;
        ControlFlow::Continue(())
    });
    assert!(matches!(fine, Ok(ControlFlow::Continue(()))));
    assert_eq!(tried, 150);

    let few = save(&[3, 149]).check(|_| ControlFlow::Continue(()));
    let few = few.expect_err("two are cut off").to_string();
    assert!(
        few.starts_with("2 of 150 pictures cannot be decoded: image 3 (`003.png`) is no PNG"),
        "{few}"
    );
    assert!(few.contains("; image 149 (`149.png`) "), "{few}");
    let many = save(&[1, 2, 3, 4, 5, 6, 7]).check(|_| ControlFlow::Continue(()));
    let many = many.expect_err("seven are cut off").to_string();
    assert!(many.starts_with("7 of 150"), "{many}");
    assert!(
        many.contains("005.png") && !many.contains("006.png"),
        "{many}"
    );
    assert!(many.ends_with("; and 2 more"), "{many}");
    let left_off = save(&[1]).check(|_| ControlFlow::Break(()));
    assert!(matches!(left_off, Ok(ControlFlow::Break(()))));

    save_npy(&path, &[2, 3, 4], &[0; 24]);
    let array = TestSet::open(&path).expect("a test set");
    assert!(array.check(|_| ControlFlow::Continue(())).is_ok());
}

/// Beside each JPEG lies what Pillow 13.0 (libjpeg-turbo) makes of it: 4:2:0 in one scan, 4:2:2 in several, and CMYK.
const JPEGS: [(&[u8], &[u8]); 3] = [
    (
        include_bytes!("baseline.jpg"),
        include_bytes!("baseline.png"),
    ),
    (
        include_bytes!("progressive.jpg"),
        include_bytes!("progressive.png"),
    ),
    (include_bytes!("cmyk.jpg"), include_bytes!("cmyk.png")),
];

#[test]
fn jpegs_decode_to_the_last_bit() {
    for (jpeg, png) in JPEGS {
        assert_eq!(decode(jpeg), decode(png));
    }
}

#[test]
fn jpegs_that_are_refused() {
    let (whole, _) = JPEGS[0];
    let refusal = |bytes: &[u8]| decode(bytes).expect_err("refused");
    assert_eq!(
        refusal(&whole[..whole.len() / 2]),
        "is a JPEG that is cut off"
    );
    assert_eq!(refusal(&whole[..20]), "is a JPEG without a frame");
    let frame = whole
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .expect("a frame");
    let mut arithmetic = whole.to_vec();
    arithmetic[frame + 1] = 0xc9;
    assert_eq!(
        refusal(&arithmetic),
        "is a lossless, hierarchical or arithmetically coded JPEG; save it as a common one"
    );
    let mut bomb = whole.to_vec();
    bomb[frame + 5..frame + 9].fill(0xff);
    assert_eq!(
        refusal(&bomb),
        "has 65535×65535 pixels; expected 1 to 89478485"
    );
}

/// 30,000 × 30,000 pixels in 60 bytes of file.
#[test]
fn a_bomb_is_not_decoded() {
    let mut bomb = png(&[0], 1, 1, C::L8);
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let error = decode(&bomb).expect_err("too large");
    // Whichever check comes first: the header's checksum is wrong as well.
    assert!(
        error.contains("is no PNG") || error.contains("30000×30000 pixels"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_jpeg_is_too_strange(which in 0..3_usize, changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let mut bytes = JPEGS[which].0.to_vec();
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len();
            // Larger pictures are allowed, but take long.
            let is_size = bytes[..at].iter().rev().take(9).any(|byte| matches!(byte, 0xc0 | 0xc2));
            if !is_size {
                bytes[at] = value;
            }
        }
        if let Ok(picture) = decode(&bytes) {
            prop_assert_eq!(picture.pixels.len(), picture.height * picture.width * picture.channels);
        }
    }

    /// A stranger's bytes are decoded or refused; nothing else happens.
    #[test]
    fn no_picture_is_too_strange(at in 0..2000_usize, value in any::<u8>(), length in 0..4000_usize) {
        let whole = png(&pattern(20, 20, 3).pixels, 20, 20, C::Rgb8);
        let mut bytes = whole.clone();
        let place = at % bytes.len();
        bytes[place] = value;
        bytes.truncate(length);
        if let Ok(picture) = decode(&bytes) {
            prop_assert_eq!(picture.pixels.len(), picture.height * picture.width * picture.channels);
        }
    }
}

//! Resize and crop against figures from Pillow 13.0 and torchvision 0.29.

use proptest::prelude::*;
use referee_networks::images::{Color, Geometry, Normalization, Picture};
use referee_scoring::model_form::{Channels, ImageInput, Interpolation, Recipe, Resize, Size};

use crate::{geometry, pattern};

/// `np.asarray(Image.fromarray(pattern).resize((width, height), filter))` of the 7×5 pattern.
#[test]
fn resizing_is_pillows_to_the_last_bit() {
    #[rustfmt::skip]
    let cases: [(&[u8], u32, u32, usize, Interpolation); 10] = [
        (&[98, 134, 129, 162, 97, 134, 144, 134, 111, 135, 129, 125, 145, 118, 108, 120, 128, 135], 3, 2, 3, Interpolation::Bilinear),
        (&[25, 108, 191, 118, 144, 85, 211, 38, 121, 67, 150, 123, 177, 61, 87, 141, 114, 197, 109, 192, 165, 179, 120, 146, 107, 190, 127, 150, 124, 60, 96, 122, 148, 184, 120, 94, 192, 165, 102, 155, 124, 65, 114, 87, 170, 124, 61, 144, 100, 183, 124, 80, 163, 100, 166, 103, 76, 159, 100, 126, 156, 93, 176], 7, 3, 3, Interpolation::Bilinear),
        (&[90, 134, 131, 169, 94, 132, 148, 139, 110, 133, 130, 126, 147, 115, 105, 119, 129, 135], 3, 2, 3, Interpolation::Bicubic),
        (&[21, 112, 195, 118, 147, 82, 215, 34, 117, 62, 153, 121, 187, 58, 77, 143, 111, 202, 111, 194, 162, 182, 117, 146, 105, 188, 130, 151, 120, 61, 93, 122, 151, 183, 124, 93, 192, 169, 102, 161, 118, 62, 110, 87, 170, 127, 60, 143, 94, 186, 130, 81, 164, 97, 168, 101, 70, 153, 106, 126, 158, 91, 182], 7, 3, 3, Interpolation::Bicubic),
        (&[0, 77, 159, 18, 100, 202, 61, 144, 229, 97, 208, 80, 133, 157, 24, 169, 7, 80, 220, 26, 122, 249, 63, 146, 19, 101, 196, 45, 137, 147, 92, 169, 76, 132, 96, 60, 185, 49, 78, 238, 45, 125, 166, 86, 184, 103, 117, 219, 48, 130, 249, 79, 182, 145, 134, 220, 18, 199, 67, 75, 213, 19, 146, 172, 99, 201, 112, 164, 177, 73, 201, 149, 76, 162, 213, 113, 187, 149, 170, 201, 75, 208, 105, 133, 165, 89, 185, 62, 160, 201, 116, 189, 112, 173, 201, 42, 104, 206, 14, 156, 125, 53, 199, 29, 119, 80, 85, 195, 49, 159, 164, 125, 215, 45, 191, 119, 88, 230, 38, 140, 132, 253, 38, 195, 164, 92, 254, 62, 149, 124, 141, 70, 105, 144, 41, 201, 60, 85, 132, 83, 168, 65, 111, 222, 171, 106, 70, 154, 99, 137, 131, 110, 202, 133, 210, 71, 121, 188, 48, 96, 56, 146, 83, 129, 134, 78, 203, 111, 210, 0, 107, 131, 60, 126, 45, 150, 145, 149, 180, 98, 143, 167, 123, 26, 126, 208, 99, 145, 120, 170, 164, 42, 233, 42, 144, 166, 108, 71, 94, 174, 0, 190, 67, 77, 188, 66, 178, 90, 170, 253, 158, 92, 182, 223, 19, 115], 9, 8, 3, Interpolation::Bicubic),
        (&[107, 190, 17, 247, 74, 157, 203, 30, 113, 131, 214, 41, 43, 126, 209, 15, 98, 181], 3, 2, 3, Interpolation::Nearest),
        (&[0, 83, 166, 118, 201, 28, 236, 63, 146, 37, 120, 203, 177, 4, 87, 61, 144, 227, 74, 157, 240, 236, 63, 146, 142, 225, 52, 111, 194, 21, 39, 122, 205, 223, 50, 133, 148, 231, 58, 98, 181, 8, 48, 131, 214, 185, 12, 95, 157, 240, 67, 129, 212, 39, 222, 49, 132, 216, 43, 126, 210, 37, 120], 7, 3, 3, Interpolation::Nearest),
        (&[98, 162, 144, 135, 145, 120], 3, 2, 1, Interpolation::Bilinear),
        (&[90, 169, 148, 133, 147, 119], 3, 2, 1, Interpolation::Bicubic),
        (&[107, 247, 203, 131, 43, 15], 3, 2, 1, Interpolation::Nearest),
    ];
    for (expected, height, width, channels, interpolation) in cases {
        let resized = Geometry {
            resize: Some(Resize::Exact(Size { height, width })),
            interpolation,
            ..geometry(Color::AsIs(channels), None, None)
        }
        .apply(pattern(7, 5, channels))
        .expect("a resized picture");
        assert_eq!(
            resized.pixels, expected,
            "{height}×{width}×{channels}, {interpolation:?}"
        );
    }
}

/// First pixel, last pixel and sum of `F.center_crop(np.arange(height·width), [crop])`.
#[test]
fn crops_are_torchvisions() {
    #[rustfmt::skip]
    let cases = [
        (10, 7, 4, 23, 47, 560),
        (10, 7, 5, 15, 47, 775),
        (10, 7, 6, 14, 54, 1224),
        (7, 10, 4, 23, 56, 632),
        (7, 10, 5, 12, 56, 850),
        (7, 10, 6, 2, 57, 1062),
        (5, 5, 4, 0, 18, 144),
        (5, 5, 5, 0, 24, 300),
        (5, 5, 6, 0, 0, 300),
        (11, 3, 4, 12, 0, 210),
        (11, 3, 5, 0, 0, 240),
        (11, 3, 6, 0, 0, 261),
    ];
    for (height, width, crop, first, last, sum) in cases {
        let picture = Picture {
            height,
            width,
            channels: 1,
            pixels: (0..height * width)
                .map(|pixel| u8::try_from(pixel).expect("a byte"))
                .collect(),
        };
        let cropped = geometry(Color::Gray, None, Some(crop))
            .apply(picture)
            .expect("a crop")
            .pixels;
        let total: u32 = cropped.iter().copied().map(u32::from).sum();
        assert_eq!(
            (cropped.first(), cropped.last(), total),
            (Some(&first), Some(&last), sum),
            "{height}×{width} to {crop}"
        );
    }
}

/// `F.resize(Image.new('L', (width, height)), [side]).size`
#[test]
fn the_long_side_is_truncated() {
    for (height, width, side, expected) in [
        (375, 500, 256, (256, 341)),
        (500, 375, 256, (341, 256)),
        (333, 499, 232, (232, 347)),
        (28, 28, 32, (32, 32)),
        (600, 601, 224, (224, 224)),
    ] {
        let output = geometry(Color::Rgb, Some(Resize::ShortSide(side)), None)
            .output(Size { height, width });
        assert_eq!((output.height, output.width), expected);
    }
}

/// `np.asarray(Image.fromarray(pattern).convert('L'))`
#[test]
fn gray_is_pillows_luma() {
    let gray = geometry(Color::Gray, None, None)
        .apply(pattern(7, 5, 3))
        .expect("gray");
    assert_eq!(gray.channels, 1);
    assert_eq!(
        gray.pixels[..10],
        [68, 127, 156, 65, 124, 105, 145, 65, 135, 129]
    );
}

#[test]
fn channels_that_do_not_fit_are_named() {
    for (color, expected) in [
        (
            Color::Rgb,
            "the images have 4 channels, but the network takes 3",
        ),
        (
            Color::Gray,
            "the images have 4 channels, but the network takes 1",
        ),
        (
            Color::AsIs(2),
            "the images have 4 channels, but the network takes 2",
        ),
    ] {
        let error = geometry(color, None, None)
            .apply(pattern(2, 2, 4))
            .expect_err("four channels");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn the_name_of_a_geometry_says_all_of_it() {
    let small = Geometry {
        resize: Some(Resize::Exact(Size {
            height: 8,
            width: 9,
        })),
        interpolation: Interpolation::Bicubic,
        ..geometry(Color::AsIs(4), None, None)
    };
    assert_eq!(small.to_string(), "4channels-resize8x9-bicubic");
    let usual = geometry(Color::Rgb, Some(Resize::ShortSide(256)), Some(224));
    assert_eq!(usual.to_string(), "rgb-resize256-bilinear-crop224x224");
    assert_eq!(geometry(Color::Gray, None, None).to_string(), "gray");
    let unsaid = Geometry {
        small: Some(224),
        ..usual
    };
    assert_eq!(
        unsaid.to_string(),
        "rgb-resize256-bilinear-crop224x224-small224"
    );
}

/// What nobody said: a margin round the crop of a larger image, none round that of a smaller one, and those that fit stay.
#[test]
fn each_image_is_resized_by_its_own_size() {
    let unsaid = Geometry {
        small: Some(8),
        ..geometry(Color::Rgb, Some(Resize::ShortSide(9)), Some(8))
    };
    let by = |resize: Option<Resize>| geometry(Color::Rgb, resize, Some(8));
    for ((height, width), same) in [
        ((8, 8), by(None)),
        ((12, 20), by(Some(Resize::ShortSide(9)))),
        ((8, 20), by(Some(Resize::ShortSide(9)))),
        ((7, 20), by(Some(Resize::ShortSide(8)))),
        ((4, 4), by(Some(Resize::ShortSide(8)))),
    ] {
        let picture = pattern(height, width, 3);
        let expected = same.apply(picture.clone()).expect("applied");
        assert_eq!(
            unsaid.apply(picture).expect("applied"),
            expected,
            "{height}×{width}"
        );
    }
    let size = Size::square(8);
    assert!(unsaid.keeps(size, 3) && !by(Some(Resize::ShortSide(9))).keeps(size, 3));
}

/// The figures are `(pixel/255 − mean)/std` in single precision, computed with numpy.
#[test]
fn pixels_become_numbers() {
    let input = ImageInput {
        channels: Some(3),
        size: None,
        raw: false,
        image: None,
    };
    let rgb = Recipe::default().resolve(input).expect("a recipe");
    let values = Normalization::of(&rgb).apply(&[0, 128, 255, 255, 0, 64], 2, 3);
    let expected = [
        -2.117_904,
        2.248_908_4,
        0.205_182_1,
        -2.035_714_2,
        2.64,
        -0.688_976_05,
    ];
    for (value, expected) in values.iter().zip(expected) {
        assert!((value - expected).abs() < 2e-6, "{values:?}");
    }
    let bgr = Recipe {
        channels: Some(Channels::Bgr),
        scale: Some(1.0),
        ..Recipe::default()
    };
    let bgr = bgr.resolve(input).expect("a recipe");
    assert_eq!(
        Normalization::of(&bgr).apply(&[1, 2, 3, 4, 5, 6], 2, 3),
        [3.0, 6.0, 2.0, 5.0, 1.0, 4.0]
    );
    assert_eq!(
        Normalization::of(&bgr).apply(&[7, 8], 1, 1),
        [7.0, 7.0, 7.0, 8.0, 8.0, 8.0],
        "gray stands for three channels"
    );
}

proptest! {
    /// Cropping first and resizing only what is seen changes nothing.
    #[test]
    fn a_crop_is_a_part_of_the_whole(
        (height, width) in (1..40_usize, 1..40_usize), side in 1..50_u32, crop in 1..60_u32,
        interpolation in prop_oneof![Just(Interpolation::Bilinear), Just(Interpolation::Bicubic), Just(Interpolation::Nearest)],
    ) {
        let resize = Geometry { interpolation, ..geometry(Color::Rgb, Some(Resize::ShortSide(side)), None) };
        let whole = resize.apply(pattern(height, width, 3)).expect("resized");
        let cropped = geometry(Color::Rgb, None, Some(crop)).apply(whole).expect("cropped");
        let both = Geometry { crop: Some(Size::square(crop)), ..resize };
        prop_assert_eq!(both.apply(pattern(height, width, 3)).expect("both"), cropped);
    }

    /// A picture of one colour keeps it.
    #[test]
    fn flat_stays_flat(value in 0..=255_u8, height in 1..30_usize, width in 1..30_usize, to in (1..30_u32, 1..30_u32)) {
        let picture = Picture { height, width, channels: 1, pixels: vec![value; height * width] };
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Nearest] {
            let resize = Some(Resize::Exact(Size { height: to.0, width: to.1 }));
            let resized = Geometry { interpolation, resize, ..geometry(Color::Gray, None, None) };
            let resized = resized.apply(picture.clone()).expect("resized");
            prop_assert!(resized.pixels.iter().all(|&pixel| pixel == value));
        }
    }
}

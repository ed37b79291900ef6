//! `cargo +nightly fuzz run images crates/networks/tests/images`: any bytes are either refused, or a picture that has as many pixels
//! as it says, in each of the colours that a recipe may ask for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use referee_networks::images::{Color, decode};

fuzz_target!(|file: &[u8]| {
    let Ok(picture) = decode(file) else {
        return;
    };
    let (height, width, channels) = (picture.height, picture.width, picture.channels);
    assert!(channels == 1 || channels == 3);
    assert_eq!(picture.pixels.len(), height * width * channels);
    // Once is enough for a picture of many pixels.
    if picture.pixels.len() < 1 << 20 {
        let gray = picture.clone().in_color(Color::Gray).expect("gray");
        assert_eq!((gray.channels, gray.pixels.len()), (1, height * width));
        let rgb = picture.in_color(Color::Rgb).expect("colour").with_channels(3);
        assert_eq!(rgb.pixels.len(), height * width * 3);
    }
});

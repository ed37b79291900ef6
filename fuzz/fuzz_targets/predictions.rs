//! `cargo +nightly fuzz run predictions`: any bytes are either refused, or a record that reads back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use referee_scoring::{ClassList, Expected, Format, ImageList, predictions};

fuzz_target!(|input: (u8, &[u8])| {
    let (options, bytes) = input;
    let classes = ClassList::parse("tench\tn01440764\ncock\tn01514668\nhen\nowl\nkite\nray\neel\n")
        .expect("valid");
    let images = if options & 4 == 0 {
        ImageList::ordinals(3)
    } else {
        ImageList::named(
            ["val/a.png", "test/a.png", "b.1.png"]
                .map(str::to_owned)
                .to_vec(),
        )
        .expect("valid")
    };
    let expected = Expected {
        classes: &classes,
        images: &images,
        boxes: options & 1 != 0,
        devkit: options & 2 != 0,
    };
    let _ = predictions::refuse_by_leading_bytes(bytes, None);
    match predictions::read(bytes, &expected) {
        Err(error) => {
            assert!(!error.detail.is_empty() && error.errors.len() <= 10);
            assert!(!error.is_unreadable());
        }
        Ok(accepted) => {
            assert_eq!(accepted.record.len(), 3);
            if expected.devkit && accepted.format == Format::Text {
                // A wasted guess keeps its place there, which no record can say.
                return;
            }
            let mut file = Vec::new();
            accepted.record.write_npy(&mut file).expect("to memory");
            // Scores that tie let the first guess be no class and a later one be one. A record may say both.
            let again =
                predictions::read(file.as_slice(), &expected).expect("a record is accepted");
            assert_eq!(
                (again.record, again.format),
                (accepted.record, Format::Record)
            );
        }
    }
});

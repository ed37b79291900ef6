//! `cargo +nightly fuzz run labels`: any bytes are either refused, or labels that read back as themselves and judge without panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use referee_scoring::{ClassList, ImageList, Labels, leaks};

fuzz_target!(|bytes: &[u8]| {
    let classes = ClassList::parse("tench\tn01440764\ncock\tn01514668\nhen\n").expect("valid");
    let _ = Labels::parse_csv(bytes, &classes, Some(&ImageList::ordinals(3)));
    if let Ok((labels, images)) = Labels::parse_csv(bytes, &classes, None) {
        let mut file = Vec::new();
        labels.write_csv(&mut file, &images, &classes).expect("to memory");
        let (again, _) =
            Labels::parse_csv(file.as_slice(), &classes, Some(&images)).expect("read back");
        assert_eq!(again, labels);
        let _ = leaks::finding(&labels, &images, None, &classes);
    }
});

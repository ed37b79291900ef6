//! `cargo +nightly fuzz run classes`: any text is either refused, or a class list in which every name, id and index finds its class.
#![no_main]

use libfuzzer_sys::fuzz_target;
use referee_scoring::{Class, ClassList};

fuzz_target!(|text: &str| {
    if let Ok(classes) = ClassList::parse(text) {
        for (index, entry) in (0..).zip(classes.entries()) {
            let names = [
                Some(&entry.name),
                entry.id.as_ref(),
                Some(&index.to_string()),
            ]
            .map(|name| name.cloned());
            for name in names.into_iter().flatten() {
                assert_eq!(classes.resolve(&name), Some(Class(index)));
            }
        }
    }
});

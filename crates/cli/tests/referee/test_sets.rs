//! An organizer's test images before they are sent: shuffled, and decoded once.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::challenge::{Directory, IMAGES};
use crate::person::Person;
use crate::server::shared;

const JPEG: &[u8] = include_bytes!("../../../networks/tests/images/baseline.jpg");

/// A challenge of eight pictures in a tar, the ones with these ordinals cut off in the middle.
fn pictures(slug: &str, cut_off: &[usize]) -> Directory {
    let directory = Directory::new(slug, "");
    // Each occurs once.
    directory.write("classes.txt", "a\nb\nc\nd\ne\nf\ng\nh\n");
    directory.write(
        "challenge.toml",
        format!(
            "slug = \"{slug}\"\ntitle = \"Pictures\"\nclasses = \"classes.txt\"\n\
             [test]\nimages = \"test-images.tar\"\nlabels = \"test-labels.csv\"\n"
        ),
    );
    let mut archive = tar::Builder::new(Vec::new());
    let mut labels = "image,label\n".to_owned();
    for picture in 0..8 {
        let name = format!("picture-{picture}.jpg");
        let length = if cut_off.contains(&picture) {
            300
        } else {
            JPEG.len()
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(length as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, &name, &JPEG[..length])
            .expect("write");
        writeln!(labels, "{name},{}", picture * 3 % 8).expect("write to a string");
    }
    directory.write("test-images.tar", archive.into_inner().expect("write"));
    directory.write("test-labels.csv", labels);
    directory
}

#[test]
fn a_picture_that_cannot_be_decoded_is_named_before_it_is_sent() {
    let directory = pictures("pictures-broken", &[2, 5]);
    let organizer = &shared().organizer;
    let run = |verb| {
        let refused = organizer.run(["challenge", verb, directory.argument(), "--known-labels"]);
        refused.refused().replace(directory.argument(), "DIR")
    };
    let named = "referee: DIR/test-images.tar cannot be used: 2 of 8 pictures cannot be decoded: image 2 (`picture-2.jpg`) ";
    for verb in ["check", "create"] {
        let said = run(verb);
        assert!(said.starts_with(named), "{said}");
        assert!(said.contains("; image 5 (`picture-5.jpg`) "), "{said}");
    }
    let there = organizer
        .run(["challenge", "show", "pictures-broken", "--json"])
        .json();
    assert_eq!(there["test"]["file"], serde_json::Value::Null, "{there}");

    let mended = pictures("pictures-broken", &[]);
    let create = ["challenge", "create", mended.argument(), "--known-labels"];
    assert!(organizer.run(create).done().contains("Pictures is open"));
}

/// What is shuffled twice replaces the files that it is read from.
#[test]
fn shuffled_again_no_image_is_lost() {
    let directory = Directory::new("clothes-shuffled", "");
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    let read = |name: &str| std::fs::read(directory.path().join(name)).expect(name);
    let mode = |name: &str| {
        let metadata = std::fs::metadata(directory.path().join(name)).expect(name);
        metadata.permissions().mode() & 0o777
    };
    let original = read("test-images.npy");
    let shuffled = || {
        anyone
            .run(["challenge", "shuffle", directory.argument()])
            .done();
        read("shuffled-images.npy")
    };
    let once = shuffled();
    let twice = shuffled();
    assert_ne!(once, original);
    assert_ne!(twice, once);
    let sorted = |file: &[u8]| {
        let images = &file[file.len() - IMAGES * 28 * 28..];
        let mut images: Vec<Vec<u8>> = images.chunks(28 * 28).map(<[u8]>::to_vec).collect();
        images.sort();
        images
    };
    assert!(sorted(&twice) == sorted(&original));
    for secret in [
        "shuffled-labels.csv",
        "shuffled-order.csv",
        "shuffled-images.npy",
    ] {
        assert_eq!(mode(secret), 0o600, "{secret}");
    }
    // Both as the umask says.
    assert_eq!(mode("challenge.toml"), mode("description.md"));
}

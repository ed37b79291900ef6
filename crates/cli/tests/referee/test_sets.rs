//! An organizer's test images before they are sent: shuffled, and decoded once.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use referee_networks::images::decode;

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

/// A segment of EXIF with a description (Exif 2.3, section 4.6), to be put behind the first two bytes of a JPEG file.
fn described(words: &str) -> Vec<u8> {
    let words = format!("{words:\0<12}");
    let fields = [
        &b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02\0\0\0\x0c\0\0\0\x1a\0\0\0\0"[..],
        words.as_bytes(),
    ]
    .concat();
    let length = u16::try_from(fields.len() + 2).expect("short");
    [&[0xff, 0xe1], &length.to_be_bytes()[..], &fields].concat()
}

/// 120 pictures of three classes. `tells` is what goes with the classes: the name, the format, the place in the archive, the time, the owner,
/// the description; all else is the same for all, or random.
fn telling(slug: &str, tells: &str) -> Directory {
    let directory = Directory::new(slug, "");
    directory.write(
        "challenge.toml",
        format!(
            "slug = \"{slug}\"\ntitle = \"Pictures\"\nclasses = \"classes.txt\"\n\
             [test]\nimages = \"test-images.tar\"\nlabels = \"test-labels.csv\"\n"
        ),
    );
    directory.write(
        "classes.txt",
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn01484850 great white shark\n",
    );
    let png = decode(JPEG)
        .expect("a picture")
        .to_png()
        .expect("a PNG file");
    let scattered = |image: u64| (image + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let class = |image: u64| usize::try_from(scattered(image) % 3).expect("small");
    let mut order: Vec<u64> = (0..120).collect();
    if tells.contains("place") {
        order.sort_by_key(|&image| (class(image), image));
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut labels = "image,label\n".to_owned();
    for image in order {
        let class = class(image);
        let wnid = ["n01440764", "n01443537", "n01484850"][class];
        let mut picture = JPEG.to_vec();
        if tells.contains("description") {
            picture.splice(2..2, described(wnid));
        }
        let mut ending = "JPEG";
        if tells.contains("format") && class == 1 {
            (picture, ending) = (png.clone(), "png");
        }
        let name = if tells.contains("name") {
            format!("ILSVRC2012_val_{image:08}_{wnid}.{ending}")
        } else {
            format!("ILSVRC2012_val_{image:08}.{ending}")
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(picture.len() as u64);
        header.set_mode(0o644);
        if tells.contains("time") {
            header.set_mtime(1_700_000_000 + 3600 * class as u64 + image);
        }
        if tells.contains("owner") {
            header.set_uid(1000 + class as u64);
        }
        archive
            .append_data(&mut header, &name, picture.as_slice())
            .expect("write");
        writeln!(labels, "{name},{class}").expect("write to a string");
    }
    directory.write("test-images.tar", archive.into_inner().expect("write"));
    directory.write("test-labels.csv", labels);
    directory
}

/// Each is refused with what tells the class, and fine once it is shuffled.
#[test]
fn what_gives_labels_away_is_mended_by_shuffling() {
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    for (tells, words) in [
        (
            "name",
            "the part of the file name after the last `_` (`n014",
        ),
        (
            "format",
            "whether a picture is JPEG or PNG tells the class of ",
        ),
        (
            "place",
            "the image before, when sorted by the place in the archive, tells the class of ",
        ),
        (
            "time",
            "the image before, when sorted by the time of change in the archive, tells the class of ",
        ),
        (
            "owner",
            "the owner, group or mode in the archive tells the class of 120 of 120 images, ",
        ),
        (
            "description",
            "the pictures' metadata (EXIF field ImageDescription) tells the class of 120 of 120 images, ",
        ),
        (
            "name format place time owner description",
            ": run `referee challenge shuffle DIR` first",
        ),
    ] {
        let directory = telling("pictures-telling", tells);
        let run = |verb| anyone.run(["challenge", verb, directory.argument()]);
        let said = run("check").refused();
        assert!(said.contains(words), "{tells}: {said}");
        // A format is also a way of coding, which is told apart.
        let is_noticed = said.contains("notice: the way a picture is coded");
        assert_eq!(is_noticed, tells.contains("format"), "{tells}: {said}");
        let shuffled = run("shuffle");
        assert_eq!(shuffled.code, 0, "{tells}: {}", shuffled.stderr);
        let fine = run("check");
        assert_eq!((fine.code, fine.stderr.as_str()), (0, ""), "{tells}");
    }
    let plain = telling("pictures-plain", "");
    let fine = anyone.run(["challenge", "check", plain.argument()]);
    assert_eq!((fine.code, fine.stderr.as_str()), (0, ""));
}

/// The format says the class, so that all are made one; what is on them stays.
#[test]
fn jpeg_files_become_png_files_of_the_same_pixels() {
    let directory = telling("pictures-of-two-formats", "format");
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    let shuffled = anyone.run(["challenge", "shuffle", directory.argument()]);
    assert_eq!(shuffled.code, 0, "{}", shuffled.stderr);
    assert!(
        shuffled
            .stderr
            .contains("notice: JPEG and PNG files are of different classes"),
        "{}",
        shuffled.stderr
    );
    let tar = std::fs::read(directory.path().join("shuffled-images.tar")).expect("a tar");
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut pictures = 0;
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        assert!(
            std::path::Path::new(&name)
                .extension()
                .is_some_and(|ending| ending == "png"),
            "{name}"
        );
        let mut file = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut file).expect("read");
        assert_eq!(
            decode(&file).expect("a picture"),
            decode(JPEG).expect("a picture")
        );
        pictures += 1;
    }
    assert_eq!(pictures, 120);
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

//! What gives labels away, and what does not.

use std::io::Read;

use flate2::read::GzDecoder;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use referee_scoring::leaks::{Findings, Kind, TestSet, findings, runs_test};
use referee_scoring::{Class, ClassList, ImageList, PictureFile};

use crate::labels;

fn ten_classes() -> ClassList {
    let names = [
        "T-shirt",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];
    ClassList::parse(&names.join("\n")).expect("valid")
}

/// 2000 labels in an order without pattern.
fn random_labels() -> Vec<u16> {
    let mut state = 1_u64;
    (0..2000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u16::try_from((state >> 33) % 10).expect("below 10")
        })
        .collect()
}

fn named(names: impl Iterator<Item = String>) -> ImageList {
    ImageList::named(names.collect()).expect("valid")
}

fn found(classes: &[u16], images: &ImageList, sizes: Option<&[u64]>) -> Findings {
    let file = |(image, &size): (usize, &u64)| PictureFile {
        name: format!("{image:08}.png"),
        offset: image as u64,
        size,
        changed: 0,
        owner: 0,
    };
    let files: Option<Vec<PictureFile>> =
        sizes.map(|sizes| sizes.iter().enumerate().map(file).collect());
    findings(&TestSet {
        labels: &labels(classes),
        classes: &ten_classes(),
        images,
        files: files.as_deref(),
        traits: &[],
    })
}

fn find(classes: &[u16], images: &ImageList, sizes: Option<&[u64]>) -> Option<String> {
    found(classes, images, sizes).sentence()
}

/// By hand: 12 labels of two classes (7 and 5) in 5 runs; expected 1 + 2·7·5/12; variance 2·35·(70 − 12)/(144·11).
#[test]
fn runs_test_of_two_classes() {
    let order: Vec<Class> = "001110011000"
        .bytes()
        .map(|byte| Class(u16::from(byte - b'0')))
        .collect();
    let test = runs_test(&order);
    assert_eq!(test.runs, 5);
    assert!((test.expected - (1.0 + 70.0 / 12.0)).abs() < 1e-12);
    let variance: f64 = 70.0 * 58.0 / (144.0 * 11.0);
    assert!((test.z - (5.0 - test.expected) / variance.sqrt()).abs() < 1e-12);
}

#[test]
fn sorted_labels_are_found() {
    let mut sorted = random_labels();
    sorted.sort_unstable();
    let sentence = find(&sorted, &ImageList::ordinals(2000), None).expect("found");
    assert!(
        sentence.starts_with("the order of the images gives the labels away: 1990 of 1999 images"),
        "{sentence}"
    );
    assert!(
        sentence.contains("`referee challenge shuffle DIR`") && sentence.contains("--known-labels")
    );
}

#[test]
fn labels_that_take_turns_are_found() {
    let turns: Vec<u16> = (0..2000).map(|image| image % 10).collect();
    assert!(
        find(&turns, &ImageList::ordinals(2000), None)
            .expect("found")
            .contains("the class of the image before")
    );
}

/// Neighbours say nothing: a class is not more frequent after another, but in one half of the images than in the other.
#[test]
fn labels_that_drift_or_have_a_period_are_found() {
    let random = random_labels();
    let period: Vec<u16> = random
        .iter()
        .enumerate()
        .map(|(image, &class)| if image % 7 == 3 { 4 } else { class })
        .collect();
    let sentence = find(&period, &ImageList::ordinals(2000), None).expect("found");
    assert!(
        sentence.starts_with("the place of the image, by its remainder of 7, tells the class of "),
        "{sentence}"
    );
    let drift: Vec<u16> = random
        .iter()
        .enumerate()
        .map(|(image, &class)| {
            if image % 4 == 0 && class < 5 {
                9 * u16::from(image > 900)
            } else {
                class
            }
        })
        .collect();
    assert!(find(&drift, &ImageList::ordinals(2000), None).is_some());
}

#[test]
fn folders_and_names_that_say_the_class_are_found() {
    let (classes, list) = (random_labels(), ten_classes());
    let name = |class: u16| list.entries()[usize::from(class)].name.clone();
    let folders = named(
        classes
            .iter()
            .enumerate()
            .map(|(i, &c)| format!("{}/{i:05}.png", name(c))),
    );
    let sentence = find(&classes, &folders, None).expect("found");
    assert!(
        sentence.starts_with("folders give the labels away: 2000 of 2000 images"),
        "{sentence}"
    );
    let files = named(
        classes
            .iter()
            .enumerate()
            .map(|(i, &c)| format!("{i:05}-{}.png", name(c).replace(' ', "_").to_lowercase())),
    );
    let sentence = find(&classes, &files, None).expect("found");
    assert!(
        sentence.starts_with("file names give the labels away: 2000 of 2000 images"),
        "{sentence}"
    );
    let indices = named(
        classes
            .iter()
            .enumerate()
            .map(|(i, &c)| format!("{i:05}_{c}.png")),
    );
    assert!(
        find(&classes, &indices, None)
            .expect("found")
            .starts_with("file names")
    );
}

/// Ordinals are shuffled, but the numbers in the names, sorted as numbers, follow the classes.
#[test]
fn names_that_sort_by_class_are_found() {
    let classes = random_labels();
    let mut seen = [0_u32; 10];
    let names: Vec<String> = classes
        .iter()
        .map(|&class| {
            seen[usize::from(class)] += 1;
            format!(
                "img-{}.png",
                20_000 + u32::from(class) * 1000 + seen[usize::from(class)]
            )
        })
        .collect();
    let sentence = find(&classes, &named(names.into_iter()), None).expect("found");
    assert!(
        sentence.starts_with("the names, when sorted, give"),
        "{sentence}"
    );
}

/// Shuffling does not mend what the pictures are.
#[test]
fn sizes_that_tell_the_class_are_a_notice() {
    let classes = random_labels();
    let sizes: Vec<u64> = classes
        .iter()
        .enumerate()
        .map(|(image, &class)| u64::from(class) * 1000 + image as u64 % 900)
        .collect();
    let found = found(&classes, &ImageList::ordinals(2000), Some(&sizes));
    assert_eq!(found.sentence(), None);
    assert_eq!(found.notices[0].kind, Kind::Sizes);
    let notice = found.notice_sentences().next().expect("a notice");
    assert!(
        notice.starts_with("the file sizes, when sorted, give"),
        "{notice}"
    );
    let equal = vec![512; 2000];
    assert_eq!(
        self::found(&classes, &ImageList::ordinals(2000), Some(&equal)),
        Findings::default()
    );
}

#[test]
fn honest_names_are_not_findings() {
    let classes = random_labels();
    for images in [
        ImageList::ordinals(2000),
        named((0..2000).map(|image| format!("{image}.png"))),
        named((0..2000).map(|image| format!("test/ILSVRC2012_test_{image:08}.JPEG"))),
        named((0..2000).map(|image| format!("bag/{image:05}.png"))),
        named((0..2000).map(|image| format!("{:08x}.png", image * 2_654_435_761_u64 % (1 << 32)))),
    ] {
        assert_eq!(find(&classes, &images, None), None);
    }
}

/// Fashion-MNIST's test set as published, with its own sizes as losslessly compressed pictures, which differ by class.
#[test]
fn fashion_mnist_is_no_finding() {
    let folder = std::env::var("REFEREE_FASHION_MNIST")
        .unwrap_or("/usr/share/datasets/fashion-mnist".to_owned());
    let load = |name: &str, header: usize| {
        let file = std::fs::File::open(format!("{folder}/{name}")).ok()?;
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes).ok()?;
        Some(bytes.split_off(header))
    };
    let Some((classes, pixels)) =
        load("t10k-labels-idx1-ubyte.gz", 8).zip(load("t10k-images-idx3-ubyte.gz", 16))
    else {
        return; // The data set is not installed here.
    };
    let classes: Vec<u16> = classes.into_iter().map(u16::from).collect();
    let sizes: Vec<u64> = pixels
        .chunks(28 * 28)
        .map(|image| {
            let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut encoder, image).expect("to memory");
            encoder.finish().expect("to memory").len() as u64
        })
        .collect();
    assert_eq!(sizes.len(), 10_000);
    assert_eq!(
        found(&classes, &ImageList::ordinals(10_000), Some(&sizes)),
        Findings::default()
    );
    let sorted = named((0..10_000).map(|image| format!("{:02}-{image:05}.png", classes[image])));
    assert!(find(&classes, &sorted, None).is_some());
}

proptest! {
    #[test]
    fn shuffled_labels_are_never_findings(
        classes in proptest::collection::vec(0_u16..10, 0..400).prop_shuffle(),
        sizes in proptest::collection::vec(0_u64..5000, 400),
    ) {
        let names = named((0..classes.len()).map(|image| format!("{:08x}.png", image * 2_654_435_761 % (1 << 32))));
        prop_assert_eq!(find(&classes, &names, Some(&sizes[..classes.len()])), None);
    }
}

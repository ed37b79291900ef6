//! Class lists, image lists, label files, and the split.

use referee_scoring::classes::MAX_CLASSES;
use referee_scoring::npy::{Header, Kind};
use referee_scoring::{
    Class, ClassList, ClassListError, FormatError, ImageList, ImageListError, Labels, split,
};

fn classes(text: &str) -> ClassList {
    ClassList::parse(text).expect("valid")
}

#[test]
fn classes_have_names_ids_and_indices() {
    let list = classes("\u{feff}tench\tn01440764\r\ngreat white shark\tn01484850\r\ncock\r\n");
    assert_eq!(list.len(), 3);
    assert_eq!(list.entries()[1].name, "great white shark");
    assert_eq!(list.entries()[1].id.as_deref(), Some("n01484850"));
    assert_eq!(list.entries()[2].id, None);
    for (text, class) in [
        ("0", 0),
        ("2", 2),
        ("tench", 0),
        ("n01484850", 1),
        ("cock", 2),
    ] {
        assert_eq!(list.resolve(text), Some(Class(class)), "{text}");
    }
    for text in [
        "3",
        "-1",
        "+1",
        "01",
        "99999999999999999999",
        "Tench",
        "",
        "n0144",
    ] {
        assert_eq!(list.resolve(text), None, "{text}");
    }
    // A name may be its own position, and a name may equal the class's own id.
    assert_eq!(classes("0\n1\n").resolve("1"), Some(Class(1)));
    assert_eq!(classes("cat\tcat\ndog\n").resolve("cat"), Some(Class(0)));
}

#[test]
fn class_lists_are_refused_with_a_remedy() {
    for (text, sentence) in [
        ("", "the class list is empty: write one class name per line"),
        (
            "cat\n\ndog\n",
            "class 1 has an empty name or id: every line needs a name, and a tab only where an id follows it",
        ),
        (
            "cat\t\n",
            "class 0 has an empty name or id: every line needs a name, and a tab only where an id follows it",
        ),
        (
            "cat\tn1\tx\n",
            "line 1 has more than two tab-separated columns: a line is a name, or a name, a tab and an id",
        ),
        (
            "crane\ndog\ncrane\n",
            "classes 0 and 2 are both called `crane`: names and ids must differ, for example `crane (2)`",
        ),
        (
            "crane\tn1\nn1\n",
            "classes 0 and 1 are both called `n1`: names and ids must differ, for example `n1 (2)`",
        ),
        (
            "1\n0\n",
            "class 0 is called `1`, which would be read as the index of another class: rename it, for example `class 1`",
        ),
        (
            "cat\t7\n",
            "class 0 is called `7`, which would be read as the index of another class: rename it, for example `class 7`",
        ),
        (
            "a|b\n",
            "class 0 is called `a|b`: names and ids may not hold `|`, tabs or line breaks, nor start or end with blanks",
        ),
    ] {
        assert_eq!(
            ClassList::parse(text).expect_err(text).to_string(),
            sentence
        );
    }
    let many: Vec<String> = (0..=MAX_CLASSES).map(|class| format!("c{class}")).collect();
    assert_eq!(
        ClassList::parse(&many.join("\n")).expect_err("too many"),
        ClassListError::TooMany(MAX_CLASSES + 1)
    );
}

#[test]
fn images_are_ordinals_or_names() {
    let numbered = ImageList::ordinals(3);
    assert_eq!((numbered.len(), numbered.names()), (3, None));
    for (text, ordinal) in [
        ("0", Some(0)),
        ("2", Some(2)),
        ("3", None),
        ("00", None),
        ("-1", None),
        ("a", None),
    ] {
        assert_eq!(numbered.resolve(text), ordinal, "{text}");
    }
    let names = [
        "val/a.png",
        "val/b.png",
        "test/b.png",
        "c",
        "img.1.png",
        "img.2.png",
        "6",
    ];
    let list = ImageList::named(names.map(str::to_owned).to_vec()).expect("valid");
    for (text, ordinal) in [
        ("val/a.png", Some(0)),
        ("a.png", Some(0)),
        ("val/a", Some(0)),
        ("a", Some(0)),
        ("b", None),
        ("b.png", None),
        ("test/b", Some(2)),
        ("c", Some(3)),
        ("test/c.jpg", Some(3)),
        ("img.1", Some(4)),
        ("img.2.png", Some(5)),
        ("img", None),
        ("a.jpg", None),
        ("test/a.png", None),
        ("6", Some(6)),
        ("7", None),
    ] {
        assert_eq!(list.resolve(text), ordinal, "{text}");
    }
    let names = ["a/cat.png", "b/cat.png", "cat.png"].map(str::to_owned);
    let list = ImageList::named(names.to_vec()).expect("valid");
    for (text, ordinal) in [
        ("a/cat.png", Some(0)),
        ("cat.png", Some(2)),
        ("b/cat", None),
        ("cat", None),
        ("c/cat.png", Some(2)),
    ] {
        assert_eq!(list.resolve(text), ordinal, "{text}");
    }
}

#[test]
fn image_lists_are_refused_with_a_remedy() {
    let refused = |names: &[&str]| {
        ImageList::named(names.iter().map(|name| (*name).to_owned()).collect())
            .expect_err("refused")
    };
    assert_eq!(
        refused(&["a", "b", "a"]),
        ImageListError::Repeated("a".to_owned())
    );
    assert_eq!(refused(&["a", ""]), ImageListError::Empty(1));
    assert_eq!(
        refused(&["0", "2", "1"]).to_string(),
        "image 1 is called `2`, which would be read as the ordinal of another image: give it a name that is not a number, \
         for example `image-2`"
    );
}

fn parse(text: &str, images: Option<&ImageList>) -> Result<(Labels, ImageList), FormatError> {
    Labels::parse_csv(
        text.as_bytes(),
        &classes("cat\tn1\ndog\tn2\ncow\tn3\n"),
        images,
    )
}

#[test]
fn labels_define_the_images_where_nothing_else_does() {
    let (labels, images) = parse("image,label\n2,cat\n0,1|n1\n1,\n", None).expect("valid");
    assert_eq!(images.names(), None);
    let sets: Vec<&[Class]> = labels.iter().collect();
    assert_eq!(sets, [&[Class(1), Class(0)][..], &[], &[Class(0)]]);
    assert_eq!((labels.len(), labels.scored()), (3, 2));
    assert_eq!(labels.scored_mask().as_bytes(), [0b101]);

    // R's write.csv quotes the header as well.
    let quoted = parse("\"image\",\"label\"\n\"0\",\"dog\"\n", None).expect("valid");
    assert_eq!(quoted.0.get(0), [Class(1)]);

    let (labels, images) = parse("image,label\nb.png,dog\n\"a,1.png\",cow\n", None).expect("valid");
    assert_eq!(images.names().expect("named"), ["a,1.png", "b.png"]);
    assert_eq!(labels.get(0), [Class(2)]);
}

#[test]
fn label_files_are_refused_with_the_line() {
    let three = ImageList::ordinals(3);
    for (text, sentence) in [
        (
            "",
            "the file is empty; expected the header `image,label` and a line for each test image",
        ),
        (
            "0,1\n",
            "line 1: expected the header `image,label`, found `0,1`; the first line is a row already: \
             put the header above it, `sed '1i image,label' OLD >NEW`",
        ),
        (
            "Unnamed: 0,image,label\n0,0,1\n",
            "line 1: expected the header `image,label`, found `Unnamed: 0,image,label`; \
             leave the index column out: df.to_csv(path, index=False)",
        ),
        (
            "image,label\n0,1.0\n",
            "line 2: `1.0` is not an integer; expected a class index from 0 to 2 (pandas writes them after .astype(int))",
        ),
        (
            "image,label\n0,1,2\n",
            "line 2: 3 cells; expected two, the image and its label (several labels are joined by `|`)",
        ),
        (
            "image,label\n0,3\n",
            "line 2: class 3, but class indices run from 0 to 2",
        ),
        (
            "image,label\n0,fox\n",
            "line 2: no class is called `fox`; expected a class index from 0 to 2, a name or an id",
        ),
        (
            "image,label\n0,1|dog\n",
            "line 2: class `dog` is given twice; give each label once",
        ),
        (
            "image,label\n0,1|\n",
            "line 2: no class is called ``; expected a class index from 0 to 2, a name or an id",
        ),
        (
            "image,label\n0,1\n0,2\n1,1\n2,1\n",
            "line 3: image 0 has a line already",
        ),
        (
            "image,label\n0,1\n2,1\n",
            "line 4: the file ends and image 1 is missing; each of the 3 test images needs a line",
        ),
        (
            "image,label\n0,1\n\n1,1\n2,1\n",
            "line 3: blank; expected an image and its label",
        ),
        (
            "image,label\n0,1\n1,1\n2,1\n3,1\n",
            "line 5: no image `3`; there are 3 test images: expected an ordinal from 0 to 2",
        ),
    ] {
        assert_eq!(parse(text, Some(&three)).expect_err(text).detail, sentence);
    }
    let gap = parse("image,label\n0,1\n2,1\n", None).expect_err("a gap");
    assert_eq!(
        gap.detail,
        "line 3: no image `2`; there are 2 test images: expected an ordinal from 0 to 1"
    );
    let mixed = parse("image,label\n0,1\n7,1\na,1\n", None).expect_err("names and numbers");
    assert!(
        mixed.detail.starts_with("image 1 is called `7`"),
        "{}",
        mixed.detail
    );
}

/// HMAC-SHA256 computed with Python: `sorted(range(10), key=lambda i: hmac.digest(b'key', i.to_bytes(4, 'big'), 'sha256'))`.
#[test]
fn the_split_follows_the_keyed_order() {
    let order = [4, 3, 5, 8, 1, 0, 7, 6, 9, 2];
    for (fraction, count) in [(0.0, 0), (0.3, 3), (0.25, 3), (0.24, 2), (1.0, 10)] {
        assert_eq!(split::public_count(fraction, 10), count);
        let public = split::choose(b"key", fraction, 10);
        let mut expected = order[..count as usize].to_vec();
        expected.sort_unstable();
        let chosen: Vec<usize> = (0..10).filter(|&image| public.get(image)).collect();
        assert_eq!(chosen, expected, "{fraction}");
    }
}

#[test]
fn npy_headers_of_other_arrays() {
    let header = Header::parse(&crate::npy("|u1", "(10000, 28, 28)", &[])).expect("valid");
    assert_eq!((header.dtype.kind, header.dtype.bytes), (Kind::Unsigned, 1));
    assert_eq!(header.shape, [10_000, 28, 28]);
    assert_eq!(header.data_offset, 128);
}

//! Every rule by which a file is rejected: where, and in which words. Arrays are in `rejected_arrays.rs`.

use std::io::{self, Read};

use referee_scoring::predictions::refuse_by_leading_bytes;
use referee_scoring::{At, ClassList, Expected, FormatError, ImageList, predictions};

use crate::{gzip, npy, read, read_as, zstd};

/// A challenge of 3 images and 10 classes.
fn detail(bytes: impl AsRef<[u8]>) -> String {
    read(bytes.as_ref(), 3, 10).expect_err("rejected").detail
}

fn integers(cells: &[i32]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.to_le_bytes()).collect()
}

#[test]
fn text() {
    for (text, expected) in [
        (
            "",
            "the file is empty; expected 3 lines, one for each test image",
        ),
        (
            "1\n2\n",
            "line 3: missing; the file has 2 lines, expected 3, one for each test image",
        ),
        (
            "1\n2\n3\n4\n",
            "line 4: a line after the last; expected 3 lines, one for each test image",
        ),
        (
            "1\n2\n3\n\n",
            "line 4: a blank line after the last; expected 3 lines, one for each test image",
        ),
        (
            "1\n\n3\n",
            "line 2: blank; expected 1 to 5 class numbers, best first",
        ),
        (
            "1\n \t \n3\n",
            "line 2: blank; expected 1 to 5 class numbers, best first",
        ),
        (
            "1\n2 0\n3\n",
            "line 2: class 0; text files count from 1. This one looks numbered from 0: add 1, or send CSV or NPY",
        ),
        (
            "1\n11\n3\n",
            "line 2: class 11, but this challenge has 10 (ids run from 1 to 10)",
        ),
        (
            "99999999999999999999999\n2\n3\n",
            "line 1: class 99999999999999999999999, but this challenge has 10 (ids run from 1 to 10)",
        ),
        (
            "1\n2\n3 4 3\n",
            "line 3: class 3 is repeated; expected up to 5 different classes",
        ),
        (
            "1\n1 2 3 4 5 6\n3\n",
            "line 2: 6 classes; expected at most 5",
        ),
        (
            "1\n1 2 3 4 5 6 7 8 9 10\n3\n",
            "line 2: 10 numbers; expected at most 5 classes; if each class is followed by a box, say so with boxes=true",
        ),
        (
            "1 0 0 9 9 2 0 0 9 9\n2\n3\n",
            "line 1: 10 numbers; expected at most 5 classes; if each class is followed by a box, say so with boxes=true",
        ),
        (
            "1\n+2\n3\n",
            "line 2: `+2` has a sign or a leading zero; expected a class number from 1 to 10",
        ),
        (
            "1\n-1\n3\n",
            "line 2: `-1` has a sign or a leading zero; expected a class number from 1 to 10",
        ),
        (
            "1\n02\n3\n",
            "line 2: `02` has a sign or a leading zero; expected a class number from 1 to 10",
        ),
        (
            "1.0e+00\n2\n3\n",
            "line 1: `1.0e+00` is not an integer; expected a class number from 1 to 10 (np.savetxt writes them with fmt='%d')",
        ),
        (
            "1\n２\n3\n",
            "line 2: `２` is not written in ASCII digits; expected a class number from 1 to 10",
        ),
        (
            "1\ncat\n3\n",
            "line 2: `cat` is not a class number; expected 1 to 10",
        ),
        (
            "1\r2\r3\r",
            "line 1: a CR with no LF after it; end the lines with LF: tr '\\r' '\\n' <OLD >NEW",
        ),
        (
            "\u{feff}1\n2\n3\n",
            "line 1: the file starts with a byte-order mark before `1`; save it as plain ASCII",
        ),
    ] {
        assert_eq!(detail(text), expected, "{text:?}");
    }
    assert_eq!(
        detail(b"1\n\xff\n3\n"),
        "line 2: not ASCII; expected up to 5 class numbers"
    );
    assert_eq!(
        detail("1 ".repeat(9000)),
        "line 1: longer than 16384 bytes; expected up to 5 class numbers"
    );
}

#[test]
fn text_with_boxes() {
    let (classes, images) = (ClassList::numbered(10), ImageList::ordinals(1));
    let expected = Expected {
        classes: &classes,
        images: &images,
        boxes: true,
        devkit: false,
    };
    let detail = |text: &str| {
        predictions::read(text.as_bytes(), &expected)
            .expect_err("rejected")
            .detail
    };
    assert_eq!(
        detail("1 2 3\n"),
        "line 1: 3 numbers; with boxes=true expected groups of five: class xmin ymin xmax ymax"
    );
    assert_eq!(
        detail("1 0 0 x 1\n"),
        "line 1: `x` is not a coordinate; expected class xmin ymin xmax ymax"
    );
    assert_eq!(
        detail(&"1 0 0 1 1 ".repeat(2)),
        "line 1: class 1 is repeated; expected up to 5 different classes"
    );
    let six = "1 0 0 1 1 2 0 0 1 1 3 0 0 1 1 4 0 0 1 1 5 0 0 1 1 6 0 0 1 1";
    assert_eq!(detail(six), "line 1: 6 classes; expected at most 5");
}

#[test]
fn rows_of_csv() {
    for (text, expected) in [
        (
            "0,1,2\n",
            "line 1: expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `0,1,2`; \
             add the header, or write class numbers from 1 separated by blanks (the text format)",
        ),
        (
            "image;label1\n",
            "line 1: expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `image;label1`; \
             separate the columns by commas",
        ),
        (
            "image\tlabel1\n",
            "line 1: expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `image\u{fffd}label1`; \
             separate the columns by commas, not by tabs",
        ),
        (
            ",image,label1\n0,0,1\n",
            "line 1: expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `,image,label1`; \
             leave the index column out: df.to_csv(path, index=False)",
        ),
        (
            "image,label1\r0,1\r1,1\r2,1\r",
            "line 1: a CR with no LF after it; end the lines with LF: tr '\\r' '\\n' <OLD >NEW",
        ),
        (
            "image,label1,label3\n",
            "line 1: expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `image,label1,label3`",
        ),
        (
            "image,label1\n0,1\n\n1,1\n2,1\n",
            "line 3: blank; expected an image and its labels",
        ),
        (
            "image,label1\n0,1\n1,1\n2,1\n\n",
            "line 5: blank; expected an image and its labels",
        ),
        (
            "image,label1\n0,1\n1,1\n",
            "line 4: the file ends and image 2 is missing; each of the 3 test images needs a line",
        ),
        (
            "image,label1\n1,1\n",
            "line 3: the file ends and image 0 is missing, and 1 more; each of the 3 test images needs a line",
        ),
        (
            "image,label1\n0,1\n1,1\n0,1\n",
            "line 4: image 0 has a line already",
        ),
        (
            "image,label1\n3,1\n",
            "line 2: no image `3`; there are 3 test images: expected an ordinal from 0 to 2",
        ),
        (
            "image,label1\ncat,1\n",
            "line 2: no image `cat`; there are 3 test images: expected an ordinal from 0 to 2",
        ),
        (
            "image,label1\n01,1\n",
            "line 2: no image `01`; there are 3 test images: expected an ordinal from 0 to 2",
        ),
        (
            "image,label1\n,1\n",
            "line 2: no image; expected its ordinal from 0 or its name",
        ),
        (
            "image,label1\n0,\n",
            "line 2: no guess; expected at least one class",
        ),
        (
            "image,label1\n0\n",
            "line 2: no guess; expected at least one class",
        ),
        (
            "image,label1,label2\n0,,1\n",
            "line 2: guess 1 is empty and a later one is not; leave only trailing cells empty",
        ),
    ] {
        assert_eq!(detail(text), expected, "{text:?}");
    }
}

#[test]
fn classes_in_csv() {
    for (text, expected) in [
        (
            "image,label1\n0,10\n",
            "line 2: class 10, but class indices run from 0 to 9",
        ),
        (
            "image,label1\n0,cat\n",
            "line 2: no class is called `cat`; expected a class index from 0 to 9, a name or an id",
        ),
        (
            "image,label1\n0,3.0\n",
            "line 2: `3.0` is not an integer; expected a class index from 0 to 9 (pandas writes them after .astype(int))",
        ),
        (
            "image,label1\n0,-1\n",
            "line 2: no class is called `-1`; expected a class index from 0 to 9, a name or an id",
        ),
        (
            "image,label1\n0,１\n",
            "line 2: no class is called `１`; expected a class index from 0 to 9, a name or an id",
        ),
        (
            "image,label1,label2\n0,3,3\n",
            "line 2: class `3` is repeated; expected up to 5 different classes",
        ),
        ("image,label1\n0,1,2\n", "line 2: 3 cells; the header has 2"),
        (
            "image,label1\n\"0,1\n",
            "line 2: a quote is opened and not closed on the same line",
        ),
        (
            "image,label1\n\"0\"1,1\n",
            "line 2: a closing quote must be followed by a comma",
        ),
        (
            "ImageId,PredictionString\n0,\n",
            "line 2: no guess; expected at least one class",
        ),
        (
            "ImageId,PredictionString\n0,1 2 3 4 5 6\n",
            "line 2: 6 classes; expected at most 5",
        ),
        (
            "ImageId,PredictionString\n0,1 0 0 9 9 2 0 0 9 9\n",
            "line 2: 10 words; expected at most 5 classes; if each class is followed by a box, say so with boxes=true",
        ),
    ] {
        assert_eq!(detail(text), expected, "{text:?}");
    }
    assert_eq!(
        detail(b"image,label1\n0,\xe9\n"),
        "line 2: not UTF-8; save the file as CSV in UTF-8"
    );
}

#[test]
fn a_name_that_several_images_share_is_no_name() {
    let names = ["a/1.png", "b/1.png", "b/2.png"].map(str::to_owned);
    let images = ImageList::named(names.to_vec()).expect("valid");
    let error = read_as(
        b"image,label1\n1.png,1\n",
        &images,
        &ClassList::numbered(10),
    )
    .expect_err("ambiguous");
    assert_eq!(
        error.detail,
        "line 2: no image `1.png`; there are 3 test images: expected an ordinal from 0 to 2 or a name that only one image can have, such as `a/1.png`"
    );
}

#[test]
fn at_most_ten_errors_in_the_contracts_shape() {
    let text = "0\n".repeat(100);
    let error = read(text.as_bytes(), 100, 10).expect_err("rejected");
    assert_eq!(error.errors.len(), 10);
    assert_eq!(error.errors[9].at, At::Line(10));
    let json = serde_json::to_value(&error).expect("serialisable");
    assert_eq!(
        json["errors"][0]["detail"],
        "class 0; text files count from 1. This one looks numbered from 0: add 1, or send CSV or NPY"
    );
    assert_eq!(json["errors"][1]["line"], 2);
    for repeated in &error.errors[1..] {
        assert_eq!(
            repeated.detail, "class 0; text files count from 1",
            "the remedy is given once"
        );
    }
    assert_eq!(
        serde_json::from_value::<FormatError>(json).expect("read back"),
        error
    );
    let rows = read(&npy("<i4", "(3,)", &integers(&[0, 10, 11])), 3, 10).expect_err("rejected");
    let json = serde_json::to_value(&rows.errors).expect("serialisable");
    assert_eq!(json[1]["row"], 2);
}

#[test]
fn other_files_are_refused_with_a_remedy() {
    let refused = |head: &[u8], name: Option<&str>, remedy: &str| {
        let sentence = refuse_by_leading_bytes(head, name).unwrap_or_default();
        assert!(sentence.contains(remedy), "{sentence}");
        if name.is_none() {
            let read = read(head, 3, 10).expect_err("rejected").detail;
            assert_eq!(read, sentence);
        }
    };
    refused(b"\x80\x04\x95\x10\x00", None, "np.save");
    refused(
        b"PK\x03\x04\x14\x00\x00\x00\x00\x00arr_0.npy",
        None,
        "np.savez",
    );
    refused(b"PK\x03\x04\x00\x00archive/data.pkl", None, "PyTorch");
    refused(
        b"PK\x03\x04\x00\x00[Content_Types].xml",
        None,
        "save it as CSV",
    );
    refused(b"PK\x03\x04\x00\x00predictions.csv", None, "zip archive");
    refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, "save it as CSV");
    refused(b"\x89HDF\r\n\x1a\n", None, "np.save");
    refused(b"PAR1\x15\x04", None, "to_csv");
    refused(b"\xff\xfe1\x00", None, "UTF-8");
    refused(b"BZh91AY&SY", None, "gzip or zstd");
    refused(
        b"\x40\x01\x00\x00\x00\x00\x00\x00{\"fc.weight\":",
        None,
        "kind=model",
    );
    refused(b"{\"predictions\": []}", None, "JSON");
    refused(b"1 2 3\n", Some("predictions.PKL"), "pickle");
    refused(b"", Some("weights.onnx"), "kind=model");
    assert_eq!(
        refuse_by_leading_bytes(b"1 2 3\n", Some("predictions.txt")),
        None
    );
    assert_eq!(
        refuse_by_leading_bytes(&npy("<i4", "(3,)", &[0; 12]), Some("p.npy")),
        None
    );
    assert_eq!(refuse_by_leading_bytes(&gzip(b"1\n"), None), None);
}

#[test]
fn compression() {
    let text = b"1\n2\n3\n";
    let twice =
        "the file is compressed twice; decompress it once (one layer of gzip or zstd is accepted)";
    assert_eq!(detail(gzip(&gzip(text))), twice);
    assert_eq!(detail(zstd(&gzip(text))), twice);
    let early = "the compressed data ends early: the file is incomplete; compress it again and send all of it";
    assert_eq!(detail(&gzip(text)[..15]), early);
    assert_eq!(detail(&zstd(text)[..10]), early);
    let mut damaged = gzip(text);
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert!(detail(&damaged).starts_with("the compressed data is damaged ("));
    // Shorter and longer than the header of another member.
    for after in [&b"\n"[..], &[0; 512]] {
        assert_eq!(
            detail([&gzip(text), after].concat()),
            "there are other bytes after the end of the gzip data; send what gzip wrote and nothing else"
        );
    }
}

/// A window of 16 MiB, as `zstd --ultra --long` may write.
#[test]
fn zstd_windows_are_bounded() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("a level");
    encoder.window_log(24).expect("a window");
    io::copy(&mut io::repeat(b' ').take(20 << 20), &mut encoder).expect("to memory");
    let file = encoder.finish().expect("to memory");
    assert_eq!(
        detail(&file),
        "the zstd window is larger than 8 MiB: compress without --long and --ultra"
    );
}

/// A disk error says nothing about the file: the submission is to be tried again, not rejected.
#[test]
fn failing_input_is_no_verdict() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let (classes, images) = (ClassList::numbered(10), ImageList::ordinals(3));
    let expected = Expected {
        classes: &classes,
        images: &images,
        boxes: false,
        devkit: false,
    };
    let start = gzip(b"1\n2\n3\n");
    for start in [&b"1\n2\n"[..], &start[..12]] {
        let error = predictions::read(start.chain(Broken), &expected).expect_err("unreadable");
        assert!(error.is_unreadable());
        assert_eq!(
            error.detail,
            "the file could not be read: the disk is gone; try again"
        );
    }
    assert!(!read(b"", 3, 10).expect_err("empty").is_unreadable());
}

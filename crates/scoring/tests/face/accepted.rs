//! Every accepted format, and what it says.

use referee_scoring::{ClassEntry, ClassList, Expected, Format, ImageList, predictions};

use crate::{gzip, labels, npy, read, read_as, tally, zstd};

const THREE: [[i32; 6]; 3] = [
    [2, 2, 0, -1, -1, -1],
    [0, 0, -1, -1, -1, -1],
    [9, 9, 8, 7, 6, 5],
];

fn rows(bytes: &[u8]) -> Vec<[i32; 6]> {
    read(bytes, 3, 10).expect("accepted").record.rows().to_vec()
}

/// The classes and images of a small challenge with names.
fn named() -> (ClassList, ImageList) {
    let classes =
        ClassList::parse("tench\tn01440764\ngreat white shark\tn01484850\ncock\tn01514668\n");
    let names = ["val/a.png", "val/b.png", "val/c.1.png"].map(str::to_owned);
    (
        classes.expect("valid"),
        ImageList::named(names.to_vec()).expect("valid"),
    )
}

#[test]
fn text_counts_from_one() {
    let predictions = read(b"3 1\n1\n10 9 8 7 6\n", 3, 10).expect("accepted");
    assert_eq!(predictions.record.rows(), THREE);
    assert_eq!(predictions.format, Format::Text);
    assert_eq!(predictions.notices, []);
}

#[test]
fn text_with_any_blanks_and_line_ends() {
    assert_eq!(rows(b"3 1\n1\n10 9 8 7 6"), THREE);
    assert_eq!(rows(b"3\t1\r\n1\r\n10 9 8 7 6\r\n"), THREE);
    assert_eq!(rows(b" 3   1 \n\t1\n10 9\t8 7  6 \r\n"), THREE);
}

#[test]
fn text_with_boxes() {
    let (classes, images) = (ClassList::numbered(10), ImageList::ordinals(3));
    let expected = Expected {
        classes: &classes,
        images: &images,
        boxes: true,
        devkit: false,
    };
    let text = "3 0 0 10 10 1 5 5 -1 99.5\n1 0 0 1 1\n10 0 0 0 0 9 0 0 0 0 8 0 0 0 0 7 0 0 0 0 6 0 0 0 0\n";
    let predictions = predictions::read(text.as_bytes(), &expected).expect("accepted");
    assert_eq!(predictions.record.rows(), THREE);
}

#[test]
fn csv_in_any_order_with_empty_trailing_cells() {
    let text = "image,label1,label2,label3,label4,label5\n2,9,8,7,6,5\n0,2,0,,,\n1,0\n";
    let predictions = read(text.as_bytes(), 3, 10).expect("accepted");
    assert_eq!(predictions.record.rows(), THREE);
    assert_eq!(predictions.format, Format::Csv);
    let spreadsheet = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(rows(spreadsheet.as_bytes()), THREE);
}

#[test]
fn csv_by_names_and_ids() {
    let (classes, images) = named();
    let text = "image,label1,label2\n\"c.1\",n01484850,0\nval/a.png,\"great white shark\",\nb.png,cock,1\n";
    let predictions = read_as(text.as_bytes(), &images, &classes).expect("accepted");
    let firsts: Vec<i32> = predictions.record.rows().iter().map(|row| row[0]).collect();
    assert_eq!(firsts, [1, 2, 1]);
}

#[test]
fn kaggle_strings_of_classes() {
    let (classes, images) = named();
    let text = "ImageId,PredictionString\na,n01514668 0\nb,1\nc.1,tench cock 1\n";
    let predictions = read_as(text.as_bytes(), &images, &classes).expect("accepted");
    assert_eq!(predictions.format, Format::Kaggle);
    assert_eq!(predictions.notices, []);
    assert_eq!(predictions.record.rows()[2], [0, 0, 2, 1, -1, -1]);
    assert_eq!(predictions.record.rows()[0], [2, 2, 0, -1, -1, -1]);
}

#[test]
fn kaggle_strings_of_boxes_are_reduced_with_a_notice() {
    let (classes, images) = named();
    let text = "ImageId,PredictionString\na,n01514668 240 170 260 240 n01440764 0 1 2 3\nb,tench 1 2 0 1\nc.1,cock\n";
    let predictions = read_as(text.as_bytes(), &images, &classes).expect("accepted");
    assert_eq!(predictions.record.rows()[0], [2, 2, 0, -1, -1, -1]);
    assert_eq!(predictions.record.rows()[1], [0, 0, -1, -1, -1, -1]);
    assert_eq!(predictions.notices.len(), 1);
    assert_eq!(predictions.notices[0].code, "boxes_ignored");
}

#[test]
fn ranked_arrays_of_every_integer_type() {
    for (bytes, descr) in [
        (1, "|i1"),
        (2, "<i2"),
        (2, ">i2"),
        (4, "<i4"),
        (4, ">i4"),
        (8, "<i8"),
        (8, ">i8"),
    ] {
        let cells = [2_i64, 0, -1, 0, -1, -1, 9, 8, 7];
        let data: Vec<u8> = cells
            .iter()
            .flat_map(|cell| {
                let (little, big) = (cell.to_le_bytes(), cell.to_be_bytes());
                if descr.starts_with('>') {
                    big[8 - bytes..].to_vec()
                } else {
                    little[..bytes].to_vec()
                }
            })
            .collect();
        let predictions = read(&npy(descr, "(3, 3)", &data), 3, 10).expect(descr);
        assert_eq!(predictions.format, Format::Ranked);
        let expected = [
            [2, 2, 0, -1, -1, -1],
            [0, 0, -1, -1, -1, -1],
            [9, 9, 8, 7, -1, -1],
        ];
        assert_eq!(predictions.record.rows(), expected, "{descr}");
    }
    let unsigned = read(&npy("<u2", "(2,)", &[3, 0, 4, 0]), 2, 10).expect("accepted");
    assert_eq!(unsigned.record.rows()[1], [4, 4, -1, -1, -1, -1]);
}

/// By hand, for scores with ties: the rank of a class is the number of classes that score at least as high.
#[test]
fn scores_with_ties_count_against_the_submitter() {
    let cases: [([f32; 7], [i32; 6]); 6] = [
        ([0.1, 0.9, 0.3, 0.5, 0.2, 0.7, 0.0], [1, 1, 5, 3, 2, 4]),
        // Two share the best score: nobody has rank 1, both have rank 2.
        ([0.9, 0.9, 0.3, 0.5, 0.2, 0.7, 0.0], [-1, 0, 1, 5, 3, 2]),
        // The fifth and sixth share a score: both have rank 6.
        ([0.1, 0.9, 0.3, 0.5, 0.1, 0.7, 0.0], [1, 1, 5, 3, 2, -1]),
        // Constant scores predict nothing.
        ([0.5; 7], [-1; 6]),
        // Zeros of both signs are equal; infinities are ranked.
        (
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1.0, -1.0, 2.0],
            [2, 2, 6, 4, 0, 1],
        ),
        // Three at the bottom of five places.
        ([5.0, 4.0, 3.0, 1.0, 1.0, 1.0, 1.0], [0, 0, 1, 2, -1, -1]),
    ];
    let data: Vec<u8> = cases
        .iter()
        .flat_map(|(scores, _)| scores)
        .flat_map(|score| score.to_le_bytes())
        .collect();
    let predictions = read(&npy("<f4", "(6, 7)", &data), 6, 7).expect("accepted");
    assert_eq!(predictions.format, Format::Scores);
    for (row, (scores, expected)) in predictions.record.rows().iter().zip(&cases) {
        assert_eq!(row, expected, "{scores:?}");
    }
    // Constant scores: everything is wrong, not everything right (science.md 4.8).
    let constant = read(&npy("<f4", "(1, 7)", &[0; 28]), 1, 7).expect("accepted");
    assert_eq!(tally(&constant, &labels(&[3])).top5_misses, 1);
}

#[test]
fn few_classes_are_all_in_the_top_5() {
    let scores = |scores: &[f64]| {
        let data: Vec<u8> = scores
            .iter()
            .flat_map(|score| score.to_le_bytes())
            .collect();
        let file = npy("<f8", &format!("(1, {})", scores.len()), &data);
        read(&file, 1, scores.len())
            .expect("accepted")
            .record
            .rows()[0]
    };
    assert_eq!(scores(&[0.5]), [0, 0, -1, -1, -1, -1]);
    assert_eq!(scores(&[0.1, 0.7, 0.2]), [1, 1, 2, 0, -1, -1]);
    assert_eq!(scores(&[0.7, 0.1, 0.7]), [-1, 0, 2, 1, -1, -1]);
    assert_eq!(scores(&[1.0, 2.0, 3.0, 4.0, 4.0]), [-1, 3, 4, 2, 1, 0]);
}

/// Every half-precision number, against the `half` crate, through both the file format and its order among the others.
#[test]
fn half_precision_scores() {
    for bits in 0..=u16::MAX {
        let value = half::f16::from_bits(bits);
        let others = [65504.0, 1.0, 0.0, -1.0, -65504.0].map(half::f16::from_f32);
        let mut halves = vec![value];
        halves.extend(others);
        let data: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let found = read(&npy("<f2", "(1, 6)", &data), 1, 6);
        if value.is_nan() {
            assert!(found.is_err(), "{bits:#06x}");
            continue;
        }
        let singles: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
        let expected = predictions::row_of_scores(&singles).expect("no NaN");
        assert_eq!(
            found.expect("accepted").record.rows()[0],
            expected,
            "{bits:#06x}"
        );
    }
    let big_endian = npy(
        ">f2",
        "(1, 6)",
        &[0x3c, 0, 0x40, 0, 0, 0, 0, 1, 0xbc, 0, 0x7c, 0],
    );
    let row = read(&big_endian, 1, 6).expect("accepted").record.rows()[0];
    assert_eq!(row, [5, 5, 1, 0, 3, 2]);
}

#[test]
fn the_record_itself() {
    let record = [[4, 4, 0, -1, -1, -1], [-1, 3, 2, -1, -1, -1], [-1; 6]];
    let data: Vec<u8> = record
        .as_flattened()
        .iter()
        .flat_map(|cell: &i32| cell.to_le_bytes())
        .collect();
    let predictions = read(&npy("<i4", "(3, 6)", &data), 3, 10).expect("accepted");
    assert_eq!(predictions.format, Format::Record);
    assert_eq!(predictions.record.rows(), record);
}

#[test]
fn one_layer_of_compression_is_transparent() {
    let text = b"3 1\n1\n10 9 8 7 6\n";
    assert_eq!(rows(&gzip(text)), THREE);
    assert_eq!(rows(&zstd(text)), THREE);
    let members = [gzip(b"3 1\n1"), gzip(b"\n10 9 8 7 6\n")].concat();
    assert_eq!(rows(&members), THREE);
    let frames = [zstd(b"3 1\n1"), zstd(b"\n10 9 8 7 6\n")].concat();
    assert_eq!(rows(&frames), THREE);
    let array = npy("|i1", "(3, 2)", &[2, 0, 0, 255, 9, 8]);
    assert_eq!(rows(&gzip(&array))[1], THREE[1]);
}

#[test]
fn classes_may_be_uncounted_offline() {
    let (classes, images) = (ClassList::uncounted(), ImageList::ordinals(1));
    let scores: Vec<u8> = (0..12_u8)
        .flat_map(|score| f32::from(score).to_le_bytes())
        .collect();
    let predictions =
        read_as(&npy("<f4", "(1, 12)", &scores), &images, &classes).expect("accepted");
    assert_eq!(predictions.record.rows()[0], [11, 11, 10, 9, 8, 7]);
}

#[test]
fn an_entry_may_have_an_id() {
    let entry = ClassEntry {
        name: "tench".to_owned(),
        id: Some("n01440764".to_owned()),
    };
    let json = serde_json::to_value(&entry).expect("serialisable");
    assert_eq!(
        json,
        serde_json::json!({"name": "tench", "id": "n01440764"})
    );
}

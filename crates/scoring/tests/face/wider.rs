//! Challenges with fewer classes than what is sent is over. The figures are worked out by hand.

use referee_scoring::{
    Class, ClassList, Expected, Format, FormatError, ImageList, Labels, Over, Predictions,
    WiderClasses, outcome, predictions,
};

use super::npy;

const OWN: &str = "one\tn1\nfour\tn4\nsix\tn6\nnine\tn9";
const TEN: &str = "n0\nn1\nn2\nn3\nn4\nn5\nn6\nn7\nn8\nn9";

fn read(bytes: &[u8], images: usize, over: Over) -> Result<Predictions, FormatError> {
    let classes = ClassList::parse(OWN).expect("a class list");
    let ten = ClassList::parse(TEN).expect("a class list");
    let wider = WiderClasses::new(ten, &classes).expect("a wider list");
    let expected = Expected {
        classes: &classes,
        images: &ImageList::ordinals(images),
        boxes: false,
        devkit: false,
    };
    predictions::read_within(bytes, &expected, &wider, over)
}

/// Scores as float32.
fn scores<const COLUMNS: usize>(rows: &[[f32; COLUMNS]]) -> Vec<u8> {
    let data: Vec<u8> = rows
        .as_flattened()
        .iter()
        .flat_map(|score| score.to_le_bytes())
        .collect();
    npy("<f4", &format!("({}, {COLUMNS})", rows.len()), &data)
}

/// Of the first image `n2` scores highest, but `n9` of the challenge's. In the second two of them tie for the first rank, and
/// what ties with them outside does not matter. The third has NaN where nobody looks.
const OVER_TEN: [[f32; 10]; 3] = [
    [0.0, 1.0, 9.0, 0.0, 3.0, 0.0, 2.0, 0.0, 8.0, 4.0],
    [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0, 5.0, 5.0, 0.0],
    [f32::NAN, 4.0, 0.0, 0.0, 3.0, 0.0, 2.0, 0.0, 0.0, 1.0],
];

/// The same columns, of the challenge's classes alone.
fn over_four() -> [[f32; 4]; 3] {
    OVER_TEN.map(|row| [row[1], row[4], row[6], row[9]])
}

#[test]
fn of_scores_the_other_columns_are_left_out() {
    let ten = read(&scores(&OVER_TEN), 3, Over::Wider).expect("accepted");
    assert_eq!(ten.format, Format::Scores);
    assert_eq!(
        ten.record.rows(),
        [
            [9, 9, 4, 6, 1, -1],
            [-1, 1, 4, 6, 9, -1],
            [1, 1, 4, 6, 9, -1]
        ]
    );
    assert_eq!(ten.notices, []);
    let said = read(&scores(&over_four()), 3, Over::Challenge).expect("accepted");
    assert_eq!(said.record, ten.record);
    assert_eq!(said.notices, []);
    let by_shape = read(&scores(&over_four()), 3, Over::Wider).expect("accepted");
    assert_eq!(by_shape.record, ten.record);
    assert_eq!(by_shape.notices[0].code, "classes");
}

#[test]
fn a_guess_of_another_class_is_wrong() {
    let guesses = "image,label1,label2\n0,n2,nine\n1,4,n5\n2,six\n";
    let read_back = read(guesses.as_bytes(), 3, Over::Wider).expect("accepted");
    assert_eq!(
        read_back.record.rows(),
        [
            [2, 2, 9, -1, -1, -1],
            [4, 4, 5, -1, -1, -1],
            [6, 6, -1, -1, -1, -1]
        ]
    );
    // The labels are the challenge's own: nine, four, one.
    let labels = Labels::from_sets([3, 1, 0].map(|class| vec![Class(class)]).into_iter());
    let classes = ClassList::parse(OWN).expect("a class list");
    let wider = WiderClasses::new(ClassList::parse(TEN).expect("a list"), &classes);
    let labels = labels.within(&wider.expect("a wider list"));
    let tally = outcome::judge(&read_back.record, &labels).tally(&labels.scored_mask(), None);
    assert_eq!((tally.top1_misses, tally.top5_misses), (2, 1));
}

#[test]
fn indices_are_those_of_the_list_that_a_file_is_over() {
    let rows = |file: &[u8], over| read(file, 1, over).map(|read| read.record.rows()[0]);
    // From 1 in text, from 0 in CSV; the record is over the longer list either way.
    assert_eq!(rows(b"10\n", Over::Wider), Ok([9, 9, -1, -1, -1, -1]));
    assert_eq!(rows(b"4\n", Over::Challenge), Ok([9, 9, -1, -1, -1, -1]));
    let csv = b"image,label1\n0,3\n";
    assert_eq!(rows(csv, Over::Wider), Ok([3, 3, -1, -1, -1, -1]));
    assert_eq!(rows(csv, Over::Challenge), Ok([9, 9, -1, -1, -1, -1]));
    let refused = |file: &[u8], over| rows(file, over).expect_err("refused").to_string();
    assert!(refused(b"11\n", Over::Wider).contains("this challenge has 10"));
    assert!(refused(b"5\n", Over::Challenge).contains("this challenge has 4"));
    assert!(refused(b"image,label1\n0,n2\n", Over::Challenge).contains("n2"));
    let record = npy(
        "<i4",
        "(1, 6)",
        &[9, 9, 3, -1, -1, -1].map(i32::to_le_bytes).concat(),
    );
    assert_eq!(rows(&record, Over::Wider), Ok([9, 9, 3, -1, -1, -1]));
}

#[test]
fn columns_that_are_neither_list_are_refused_with_both_numbers() {
    let refused = |bytes: &[u8], over| read(bytes, 1, over).expect_err("refused").to_string();
    let seven = scores(&[[0.0; 7]]);
    assert!(
        refused(&seven, Over::Wider)
            .contains("7 columns, expected 10, one for each class of the longer list, or 4, one for each of the challenge's own")
    );
    let ten = scores(&[[0.0; 10]]);
    assert!(refused(&ten, Over::Challenge).contains("10 columns, expected 4"));
    let nan = scores(&[[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]]);
    assert!(refused(&nan, Over::Wider).contains("column 4 is NaN"));
}

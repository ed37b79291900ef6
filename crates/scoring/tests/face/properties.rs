//! What holds for every file, whoever made it.

use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use referee_scoring::{Class, ClassList, Expected, ImageList, Labels, predictions};

use crate::{gzip, labels, npy, read, tally, zstd};

const CLASSES: u16 = 40;

/// One to five different guesses for each of some images.
fn guesses() -> impl Strategy<Value = Vec<Vec<u16>>> {
    let one = hash_set(0..CLASSES, 1..=5).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    vec(one.prop_shuffle(), 1..40)
}

fn text(guesses: &[Vec<u16>]) -> String {
    let line = |guesses: &Vec<u16>| {
        let numbers: Vec<String> = guesses
            .iter()
            .map(|class| (class + 1).to_string())
            .collect();
        numbers.join(" ") + "\n"
    };
    guesses.iter().map(line).collect()
}

fn csv(rows: &[(usize, &Vec<u16>)]) -> String {
    let line = |(image, guesses): &(usize, &Vec<u16>)| {
        let cells: Vec<String> = (0..5)
            .map(|k| guesses.get(k).map_or(String::new(), ToString::to_string))
            .collect();
        format!("{image},{}\n", cells.join(","))
    };
    "image,label1,label2,label3,label4,label5\n".to_owned()
        + &rows.iter().map(line).collect::<String>()
}

fn ranked(guesses: &[Vec<u16>]) -> Vec<u8> {
    let cell = |guesses: &Vec<u16>, k: usize| guesses.get(k).map_or(-1, |&class| i64::from(class));
    let data: Vec<u8> = guesses
        .iter()
        .flat_map(|row| (0..5).flat_map(|k| cell(row, k).to_le_bytes()))
        .collect();
    npy("<i8", &format!("({}, 5)", guesses.len()), &data)
}

/// The rows, or the sentence.
fn record(file: &[u8], images: usize) -> Result<Vec<[i32; 6]>, String> {
    let predictions = read(file, images, CLASSES.into()).map_err(|error| error.detail)?;
    Ok(predictions.record.rows().to_vec())
}

/// Scores with many ties, zeros of both signs and infinities.
fn scores(columns: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
    let score = prop_oneof![
        4 => (-3_i8..4).prop_map(f32::from),
        4 => -1.0_f32..1.0,
        1 => Just(-0.0_f32),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
    ];
    vec(vec(score, columns), 1..6)
}

/// Top 1 and top 5 by the definition: rank = number of classes that score at least as high.
fn misses_by_definition(scores: &[Vec<f32>], truth: &[u16]) -> (u32, u32) {
    let rank = |row: &[f32], class: u16| {
        row.iter()
            .filter(|&&score| score >= row[usize::from(class)])
            .count()
    };
    let misses = |k: usize| {
        scores
            .iter()
            .zip(truth)
            .filter(|&(row, &class)| rank(row, class) > k)
            .count()
    };
    let [top1, top5] = [misses(1), misses(5)].map(|n| u32::try_from(n).expect("few"));
    (top1, top5)
}

proptest! {
    #[test]
    fn every_format_of_the_same_guesses_is_the_same_record(guesses in guesses(), order in any::<Vec<Index>>()) {
        let images = guesses.len();
        let expected: Vec<[i32; 6]> = guesses
            .iter()
            .map(|guesses| {
                let mut row = [-1; 6];
                row[0] = i32::from(guesses[0]);
                for (cell, &class) in row[1..].iter_mut().zip(guesses) {
                    *cell = i32::from(class);
                }
                row
            })
            .collect();
        let text = text(&guesses);
        prop_assert_eq!(record(text.as_bytes(), images), Ok(expected.clone()));
        prop_assert_eq!(record(text.replace('\n', "\r\n").replace(' ', " \t ").as_bytes(), images), Ok(expected.clone()));
        prop_assert_eq!(record(&ranked(&guesses), images), Ok(expected.clone()));
        prop_assert_eq!(record(&gzip(text.as_bytes()), images), Ok(expected.clone()));
        prop_assert_eq!(record(&zstd(&ranked(&guesses)), images), Ok(expected.clone()));

        let mut rows: Vec<(usize, &Vec<u16>)> = guesses.iter().enumerate().collect();
        prop_assert_eq!(record(csv(&rows).as_bytes(), images), Ok(expected.clone()));
        for (i, j) in order.iter().enumerate() {
            rows.swap(i % images, j.index(images));
        }
        prop_assert_eq!(record(csv(&rows).as_bytes(), images), Ok(expected.clone()));

        let mut file = Vec::new();
        read(text.as_bytes(), images, CLASSES.into()).expect("accepted").record.write_npy(&mut file).expect("to memory");
        prop_assert_eq!(record(&file, images), Ok(expected));
    }

    #[test]
    fn scores_and_their_record_give_the_errors_of_the_definition(
        (columns, scores, truth) in (1_usize..150).prop_flat_map(|columns| {
            let top = u16::try_from(columns).expect("small");
            (Just(columns), scores(columns), vec(0..top, 6))
        }),
    ) {
        let images = scores.len();
        let data: Vec<u8> = scores.iter().flatten().flat_map(|score| score.to_le_bytes()).collect();
        let doubles: Vec<u8> = scores.iter().flatten().flat_map(|&score| f64::from(score).to_be_bytes()).collect();
        let shape = format!("({images}, {columns})");
        let truth = &truth[..images];
        let expected = misses_by_definition(&scores, truth);
        let from_scores = read(&npy("<f4", &shape, &data), images, columns).expect("accepted");
        let from_doubles = read(&npy(">f8", &shape, &doubles), images, columns).expect("accepted");
        prop_assert_eq!(&from_doubles.record, &from_scores.record);
        let mut file = Vec::new();
        from_scores.record.write_npy(&mut file).expect("to memory");
        let from_record = read(&file, images, columns).expect("accepted");
        for predictions in [from_scores, from_record] {
            let tally = tally(&predictions, &labels(truth));
            prop_assert_eq!((tally.top1_misses, tally.top5_misses), expected);
        }
    }

    #[test]
    fn labels_survive_a_round_trip(sets in vec(hash_set(0..CLASSES, 0..4), 0..60), named: bool) {
        let labels = Labels::from_sets(sets.into_iter().map(|set| set.into_iter().map(Class).collect()));
        let images = if named {
            let names = (0..labels.len()).map(|image| format!("test, \"{image:03}\".png"));
            ImageList::named(names.collect()).expect("valid")
        } else {
            ImageList::ordinals(labels.len())
        };
        let mut file = Vec::new();
        let classes = ClassList::numbered(CLASSES.into());
        labels.write_csv(&mut file, &images, &classes).expect("to memory");
        for known in [None, Some(&images)] {
            let (read, found) = Labels::parse_csv(file.as_slice(), &classes, known).expect("valid");
            prop_assert_eq!(&read, &labels);
            prop_assert_eq!(found.len(), images.len());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), boxes: bool, devkit: bool) {
        let (classes, images) = (ClassList::numbered(10), ImageList::ordinals(3));
        let expected = Expected { classes: &classes, images: &images, boxes, devkit };
        for start in [&b""[..], b"\x93NUMPY", b"image,label1\n", b"ImageId,PredictionString\n", b"1 2\n", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"] {
            let _ = predictions::read([start, &bytes].concat().as_slice(), &expected);
        }
        let _ = Labels::parse_csv([b"image,label\n", bytes.as_slice()].concat().as_slice(), &classes, None);
        let _ = ClassList::parse(&String::from_utf8_lossy(&bytes));
    }

    /// Lines a person might write, most of them wrong: both the quick and the careful reading of a line must agree on them.
    #[test]
    fn spelling_does_not_matter_beyond_the_blanks(text in "[0-9]{1,2}([ \t][0-9]{1,2}){0,6}") {
        let padded = format!(" {text}\n");
        let plain = format!("{text}\n");
        prop_assert_eq!(record(plain.as_bytes(), 1), record(padded.as_bytes(), 1));
    }
}

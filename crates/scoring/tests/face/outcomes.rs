//! Hits, tallies and the record's file.

use referee_scoring::{Bitmap, Class, Labels, outcome};

use crate::{labels, read, tally};

#[test]
fn any_label_of_the_set_is_a_hit() {
    let truth =
        Labels::from_sets([vec![Class(3), Class(1)], vec![Class(0)], vec![Class(9)]].into_iter());
    let predictions = read(b"2 5\n7 1\n1 2 3 4 5\n", 3, 10).expect("accepted");
    let outcome = outcome::judge(&predictions.record, &truth);
    assert_eq!(outcome.top1.as_bytes(), [0b001]);
    assert_eq!(outcome.top5.as_bytes(), [0b011]);
}

/// `ReaL` (Beyer et al. 2020): images whose label set is empty do not count. Two of four images are skipped here, one of the others hit.
#[test]
fn images_without_labels_are_skipped() {
    let truth = Labels::from_sets([vec![], vec![Class(4)], vec![Class(5)], vec![]].into_iter());
    let tally = tally(&read(b"1\n5\n1\n1\n", 4, 10).expect("accepted"), &truth);
    assert_eq!(
        (tally.images, tally.top1_misses, tally.top5_misses),
        (2, 1, 1)
    );
    assert!((tally.top5_error() - 0.5).abs() < f64::EPSILON);
}

/// The interval of 5 misses in 100 images from the table in science.md 4.1.
#[test]
fn tallies_carry_their_interval_and_add_up_over_a_split() {
    let truth = labels(&[0; 100]);
    let text: String = (0..100)
        .map(|image| if image < 5 { "2\n" } else { "2 1\n" })
        .collect();
    let outcome = outcome::judge(
        &read(text.as_bytes(), 100, 10).expect("accepted").record,
        &truth,
    );
    let scored = truth.scored_mask();
    let all = outcome.tally(&scored, None);
    assert_eq!(
        (all.images, all.top1_misses, all.top5_misses),
        (100, 100, 5)
    );
    let (low, high) = all.top5_interval();
    assert!((low - 0.021_544).abs() < 1e-6 && (high - 0.111_750).abs() < 1e-6);
    let split: Bitmap = (0..100).map(|image| image % 3 == 0).collect();
    let (public, private) = (
        outcome.tally(&scored, Some(&split)),
        outcome.tally(&scored, Some(&split.not())),
    );
    assert_eq!((public.images, public.top5_misses), (34, 2));
    assert_eq!((private.images, private.top5_misses), (66, 3));
}

#[test]
fn bitmaps_are_little_endian_and_padded_with_zeros() {
    let bitmap: Bitmap = [
        true, false, false, false, false, false, false, false, false, true,
    ]
    .into_iter()
    .collect();
    assert_eq!(bitmap.as_bytes(), [0b0000_0001, 0b0000_0010]);
    assert_eq!(Bitmap::from_bytes(vec![1, 2], 10), Some(bitmap.clone()));
    assert_eq!(Bitmap::from_bytes(vec![1, 4], 10), None);
    assert_eq!(Bitmap::from_bytes(vec![1], 10), None);
    assert_eq!(
        (
            bitmap.count(),
            bitmap.not().count(),
            Bitmap::full(10).count()
        ),
        (2, 8, 10)
    );
    assert_eq!(Bitmap::from_bytes(vec![], 0), Some(Bitmap::new(0)));
}

/// What numpy writes for this array: `np.save(f, np.array([[4, 4, 0, -1, -1, -1]], np.int32))`.
#[test]
fn records_are_written_as_numpy_writes_them() {
    let mut file = Vec::new();
    read(b"5 1\n", 1, 10)
        .expect("accepted")
        .record
        .write_npy(&mut file)
        .expect("to memory");
    let header =
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i4', 'fortran_order': False, 'shape': (1, 6), }";
    assert_eq!(&file[..header.len()], header);
    assert_eq!(file.len(), 128 + 24);
    assert_eq!(file[127], b'\n');
    assert_eq!(&file[128..136], [4, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(&file[140..], [0xff; 12]);
}

//! Arrays that are rejected: where, and in which words.

use crate::{npy, read};

/// A challenge of 3 images and 10 classes.
fn detail(file: &[u8]) -> String {
    read(file, 3, 10).expect_err("rejected").detail
}

fn integers(cells: &[i32]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.to_le_bytes()).collect()
}

#[test]
fn arrays() {
    for (file, expected) in [
        (
            npy("<i4", "(4,)", &[0; 16]),
            "int32 [4]: 4 rows, expected 3, one for each test image",
        ),
        (
            npy("<i4", "(3, 10)", &[0; 120]),
            "int32 [3, 10]: expected at most 5 ranked classes per image (the canonical record has 6 columns); \
             for scores use array.astype(np.float32)",
        ),
        (
            npy("<f4", "(3,)", &[0; 12]),
            "float32 [3]: expected scores [3,10]; if these are class indices, send array.astype(np.int32)",
        ),
        (
            npy("<f4", "(10, 3)", &[0; 120]),
            "float32 [10, 3]: a column for each test image, expected a row for each; send np.ascontiguousarray(array.T)",
        ),
        (
            npy("<f4", "(3, 10, 1)", &[0; 120]),
            "float32 [3, 10, 1]: expected integers [3] or [3,k] with k <= 5, or scores [3,10]",
        ),
        (
            npy("<f4", "(3, 9)", &[0; 108]),
            "float32 [3, 9]: 9 columns, expected 10, one for each class",
        ),
        (
            npy("<f8", "(3, 5)", &[0; 120]),
            "float64 [3, 5]: expected scores [3,10]; if these are class indices, send array.astype(np.int32)",
        ),
        (
            npy("<f4", "(3, 11)", &[0; 132]),
            "float32 [3, 11]: 11 columns for 10 classes; TensorFlow puts 'background' first: send array[:, 1:]",
        ),
        (
            npy("|b1", "(3,)", &[0; 3]),
            "dtype `|b1` is not accepted: save integers or float16, float32 or float64, for example array.astype(np.float32)",
        ),
        (
            npy("<f16", "(3, 10)", &[0; 480]),
            "dtype `<f16` is not accepted: save integers or float16, float32 or float64, for example array.astype(np.float32)",
        ),
        (
            npy("|O", "(3,)", b"\x80\x04"),
            "the array holds Python objects, which only pickle can read: save numbers, for example array.astype(np.int32)",
        ),
        (
            npy("<i4", "(3,)", &[0; 8]),
            "row 2: the file ends here; its header promises 3 rows: it is incomplete",
        ),
        (
            npy("<i4", "(3,)", &[0; 13]),
            "there are bytes after the last of the 3 rows; save one array with np.save",
        ),
        (
            npy("<i4", "(3,)", &integers(&[0, 10, 1])),
            "row 1: class 10, but class indices run from 0 to 9 (-1 after the last guess)",
        ),
        (
            npy("<i4", "(3,)", &integers(&[0, -2, 1])),
            "row 1: class -2, but class indices run from 0 to 9 (-1 after the last guess)",
        ),
        (
            npy("<i4", "(3,)", &integers(&[0, -1, 1])),
            "row 1: no guess; expected at least one class",
        ),
        (
            npy("<i4", "(3, 2)", &integers(&[0, 1, 2, 2, 0, 1])),
            "row 1: class 2 is repeated; expected up to 5 different classes",
        ),
        (
            npy("<i4", "(3, 3)", &integers(&[0, -1, 2, 2, 0, 1, 1, 2, 3])),
            "row 0: class 2 after -1; -1 may only follow the last guess",
        ),
        (
            npy(
                "<i4",
                "(3, 6)",
                &integers(&[[3, 1, 2, -1, -1, -1], [-1; 6], [-1; 6]].concat()),
            ),
            "row 0: top 1 is 3, which is not among the top 5 in columns 1 to 5",
        ),
    ] {
        assert_eq!(detail(&file), expected);
    }
    let mut fortran = npy("<f4", "(3, 10)", &[0; 120]);
    let at = fortran
        .windows(5)
        .position(|word| word == b"False")
        .expect("in the header");
    fortran[at..at + 5].copy_from_slice(b"True ");
    assert_eq!(
        detail(&fortran),
        "the array is stored in Fortran order: save np.ascontiguousarray(array)"
    );
    assert_eq!(
        detail(b"\x93NUMPY\x01\x00\xff"),
        "the NPY header is cut off or damaged: write the file again with np.save"
    );
}

#[test]
fn not_a_number_is_named_by_row_and_column() {
    for position in [0, 31, 32, 99] {
        let mut scores = vec![0.0_f32; 300];
        scores[100 + position] = f32::NAN;
        let data: Vec<u8> = scores
            .iter()
            .flat_map(|score| score.to_le_bytes())
            .collect();
        let error = read(&npy("<f4", "(3, 100)", &data), 3, 100).expect_err("NaN");
        assert_eq!(
            error.detail,
            format!(
                "row 1: column {position} is NaN; scores must be numbers (infinities are allowed)"
            )
        );
    }
}

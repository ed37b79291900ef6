//! Weights that lie beside an ONNX file.

use std::io::{Seek as _, SeekFrom, Write as _};

use referee_networks::onnx::proto::{
    StringStringEntryProto, TensorProto,
    tensor_proto::{DataLocation, DataType},
};
use referee_networks::onnx::{OnnxError, OnnxFile, SideFiles};

use crate::onnx::{draft, run};
use crate::onnx_files::Draft;

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value.into()),
    }
}

/// x + a tensor in a side file, described by `entries`.
fn external(entries: &[(&str, &str)]) -> Draft {
    draft()
        .tensor(TensorProto {
            name: Some("shift".into()),
            dims: vec![3],
            data_type: Some(DataType::Float as i32),
            data_location: Some(DataLocation::External as i32),
            external_data: entries
                .iter()
                .map(|(key, value)| entry(key, value))
                .collect(),
            ..TensorProto::default()
        })
        .node("Add", &["x", "shift"], &["y"], &[])
}

/// A side file of two unused bytes and the numbers 10, 20, 30.
fn side_file(directory: &tempfile::TempDir) -> SideFiles {
    let path = directory.path().join("part.bin");
    let numbers: Vec<u8> = [10f32, 20.0, 30.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(&[&[7, 7], numbers.as_slice()].concat()))
        .expect("writes");
    let mut side_files = SideFiles::default();
    side_files
        .add("model.onnx.data", &path)
        .expect("a plain file");
    side_files
}

#[test]
fn external_data_is_read_from_its_range() {
    let directory = tempfile::tempdir().expect("a directory");
    let side_files = side_file(&directory);
    let open = |entries: &[(&str, &str)]| {
        OnnxFile::decode(external(entries).bytes().into(), side_files.clone())
            .and_then(|file| run(&file))
    };
    let whole = [
        ("location", "model.onnx.data"),
        ("offset", "2"),
        ("length", "12"),
    ];
    assert_eq!(
        open(&whole).expect("whole"),
        [11.0, 18.0, 33.0, 6.0, 25.0, 24.0]
    );
    for (entries, sentence) in [
        (vec![("location", "other.data")], "was not sent"),
        (
            vec![("location", "../model.onnx.data")],
            "not a bare file name",
        ),
        (vec![("location", "/etc/passwd")], "not a bare file name"),
        (vec![("location", "..")], "not a bare file name"),
        (vec![("offset", "2")], "not a bare file name"),
        (
            vec![("location", "model.onnx.data"), ("offset", "3")],
            "which has 14",
        ),
        (
            vec![("location", "model.onnx.data"), ("offset", "-1")],
            "offset is \"-1\"",
        ),
        (
            vec![
                ("location", "model.onnx.data"),
                ("offset", "18446744073709551615"),
                ("length", "12"),
            ],
            "which has 14",
        ),
        (
            vec![("location", "model.onnx.data"), ("length", "8")],
            "8 bytes for F32 [3], which take 12",
        ),
    ] {
        let refused = open(&entries).expect_err(sentence).to_string();
        assert!(
            refused.contains(sentence) && refused.contains("shift"),
            "{refused}"
        );
    }
}

#[test]
fn a_side_file_that_is_a_link_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let link = directory.path().join("model.onnx.data");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("links");
    assert!(matches!(
        SideFiles::default().add("model.onnx.data", &link),
        Err(OnnxError::Io { .. })
    ));
}

#[test]
fn side_files_are_found_beside_the_model() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = directory.path().join("model.onnx");
    let draft = external(&[("location", "weights.bin"), ("offset", "4")]);
    std::fs::write(&model, draft.bytes()).expect("writes");
    std::fs::write(directory.path().join("weights.bin"), [0u8; 16]).expect("writes");
    assert_eq!(
        run(&OnnxFile::open_beside(&model).expect("whole")).expect("runs")[..3],
        [1.0, -2.0, 3.0]
    );
}

/// Weights over 2 GiB: in a side file they are read from where they lie, in the ONNX file itself refused.
#[test]
fn more_than_two_gib_is_read_from_a_side_file_only() {
    const TWO_GIB: u64 = 2 << 30;
    let directory = tempfile::tempdir().expect("a directory");
    // Holes, which take no place on the disk.
    let with_hole = |name: &str, begin: &[u8], end: &[u8]| {
        let path = directory.path().join(name);
        let mut file = std::fs::File::create(&path).expect("created");
        file.write_all(begin).expect("writes");
        file.seek(SeekFrom::Start(TWO_GIB)).expect("a hole");
        file.write_all(end).expect("writes");
        path
    };
    let numbers = [10f32, 20.0, 30.0].map(f32::to_le_bytes).concat();
    with_hole("model.onnx.data", b"", &numbers);
    let offset = TWO_GIB.to_string();
    let small = external(&[("location", "model.onnx.data"), ("offset", &offset)]);
    let model = directory.path().join("model.onnx");
    std::fs::write(&model, small.bytes()).expect("writes");
    let file = OnnxFile::open_beside(&model).expect("whole");
    assert_eq!(run(&file).expect("runs")[..3], [11.0, 18.0, 33.0]);

    let large = with_hole("large.onnx", &small.bytes(), &[0]);
    let refused = OnnxFile::open(&large, SideFiles::default());
    let refused = refused.expect_err("too large").to_string();
    assert!(
        refused.starts_with(
            "2147483649 bytes in one ONNX file; the limit is 2 GiB. Send the weights as safetensors"
        ),
        "{refused}"
    );
}

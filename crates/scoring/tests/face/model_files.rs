//! What is said of model files by their first bytes. The PyTorch files are real ones (`crates/networks/tests/checkpoints`).

use referee_scoring::model_form::refuse_model_by_leading_bytes;

/// The first kilobyte, as intake sees it.
macro_rules! head {
    ($name:literal) => {{
        let file = include_bytes!(concat!("../../../networks/tests/checkpoints/", $name));
        &file[..file.len().min(1024)]
    }};
}

fn sentence(head: &[u8], filename: Option<&str>) -> String {
    refuse_model_by_leading_bytes(head, filename).unwrap_or_default()
}

#[test]
fn pytorchs_files_are_refused_with_what_converts_them() {
    let convert = "referee convert model.pth model.safetensors";
    let files = [
        (head!("zip.pth"), convert),
        (head!("legacy.pth"), convert),
        (head!("whole_module.pth"), convert),
        (head!("whole_module_legacy.pth"), convert),
        (head!("torchscript.pth"), "torch.jit.load("),
        (head!("exported.pt2"), "torch.export.load("),
    ];
    for (head, remedy) in files {
        // By content alone, whatever the file is called.
        for filename in [None, Some("model.safetensors"), Some("model.onnx")] {
            let sentence = sentence(head, filename);
            assert!(sentence.contains(remedy), "{sentence}");
        }
    }
}

#[test]
fn other_libraries_files_are_refused_with_what_converts_them() {
    let files: [(&[u8], &str); 8] = [
        (b"\x80\x04\x95\x10\x00", "save_file"),
        // Keras exports no model that was never called (seen with 3.15).
        (
            b"\x89HDF\r\n\x1a\n",
            "m(numpy.zeros((1, *m.input_shape[1:]))); m.export('model.onnx', format='onnx')",
        ),
        (b"\x1c\x00\x00\x00TFL3\x14\x00", "--tflite"),
        (
            b"PK\x03\x04\x14\x00\x00\x00\x00\x00metadata.json",
            "load_model('model.keras'); m(numpy.zeros((1, *m.input_shape[1:]))); m.export(",
        ),
        (
            b"PK\x03\x04\x14\x00\x00\x00\x00\x00arr_0.npy",
            "safetensors.numpy",
        ),
        (b"\x93NUMPY\x01\x00", "kind=predictions"),
        (b"\x1f\x8b\x08", "as it is"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
    ];
    for (head, remedy) in files {
        let sentence = sentence(head, None);
        assert!(sentence.contains(remedy), "{sentence}");
    }
    for (filename, remedy) in [
        ("model.bin", "referee convert"),
        ("model.PTH", "referee convert"),
        ("saved_model.pb", "--saved-model"),
        ("model.h5", "format='onnx'"),
        ("predictions.csv", "kind=predictions"),
    ] {
        let sentence = sentence(b"?", Some(filename));
        assert!(sentence.contains(remedy), "{sentence}");
    }
}

#[test]
fn what_may_run_passes() {
    let safetensors = head!("zip.safetensors");
    for filename in [None, Some("model.safetensors"), Some("pytorch_model.bin")] {
        assert_eq!(refuse_model_by_leading_bytes(safetensors, filename), None);
    }
    // Lengths of headers that begin as a pickle (640), gzip (35,615) or HTML (60) does are among these.
    for length in 2_u64..70_000 {
        let head = [length.to_le_bytes().as_slice(), b"{\"fc.weight\":"].concat();
        assert_eq!(refuse_model_by_leading_bytes(&head, None), None, "{length}");
    }
    // ONNX begins with its IR version, field 1.
    assert_eq!(
        refuse_model_by_leading_bytes(b"\x08\x0a\x12\x07pytorch", Some("model.onnx")),
        None
    );
}

//! What is said of model files by their first bytes. The PyTorch files are real ones (`crates/networks/tests/checkpoints`).

use referee_scoring::model_form::refuse_model_by_leading_bytes;
use referee_scoring::predictions::refuse_by_leading_bytes;

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
    let files: [(&[u8], &str); 13] = [
        (b"\xfd7zXZ\x00\x00", "compressed"),
        (b"BZh91AY", "compressed"),
        (b"7z\xbc\xaf\x27\x1c", "compressed"),
        (b"Rar!\x1a\x07", "compressed"),
        (b"\xff\xd8\xff\xe0", "a picture"),
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
fn what_stands_for_a_model_or_is_a_part_of_one_is_named() {
    let files: [(&[u8], &str, &str); 13] = [
        (b"\x1c\x00\x00\x00ORTM", "model.onnx", ".ort"),
        (
            b"# made by hand\nir_version: 8\n",
            "model.onnx",
            "format='textproto'",
        ),
        (b"<\n  ir_version: 8,\n", "model.onnx", "format='onnxtxt'"),
        (b"{\n \"irVersion\": \"8\",", "model.json", "format='json'"),
        (
            b"<?xml version=\"1.0\"?>\n<net name=\"a\">",
            "model.xml",
            "OpenVINO",
        ),
        (
            b"{\"metadata\":{\"total_size\":1},\"weight_map\":{",
            "index.json",
            "safetensors.torch.save_file",
        ),
        (
            b"{\"architectures\":[\"ResNet\"]",
            "config.json",
            "configuration",
        ),
        (b"PK\x03\x04", "__0_0.distcp", "dcp_to_torch"),
        (
            b"\x80\x02ctorch.distributed.checkpoint.metadata\nMetadata\n",
            ".metadata",
            "dcp_to_torch",
        ),
        (
            b"\x08\x00\x00\x00\x00\x00\x00\x00{}",
            "model-00001-of-00002.safetensors",
            "several files",
        ),
        (
            b"PK\x03\x04",
            "zero_pp_rank_0_mp_rank_00_optim_states.pt",
            "zero_to_fp32.py",
        ),
        (b"name: \"CaffeNet\"\nlayer {\n", "deploy.prototxt", "Caffe"),
        (
            b"/annex/objects/SHA256E-s1--0",
            "model.onnx",
            "git annex get",
        ),
    ];
    for (head, filename, remedy) in files {
        let sentence = sentence(head, Some(filename));
        assert!(sentence.contains(remedy), "{filename}: {sentence}");
        let among_predictions = refuse_by_leading_bytes(head, Some(filename));
        assert_eq!(among_predictions, Some(sentence));
    }
    // One file of one is whole.
    let whole = b"\x08\x00\x00\x00\x00\x00\x00\x00{}";
    assert_eq!(
        refuse_model_by_leading_bytes(whole, Some("model-00001-of-00001.safetensors")),
        None
    );
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

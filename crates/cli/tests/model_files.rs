//! Files as people have them (`tests/model_files`), through the real binary. The logits beside them, of the pictures in `images.npy`,
//! are ONNX Runtime's (1.32) on `(pixel / 255 - 0.5) / 0.25`, or on the pixels where the input is uint8.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RECIPE: &str = r#"{"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25]}"#;

fn referee(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    command.args(arguments).output().expect("referee runs")
}

fn fixture(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model_files");
    directory.join(name).to_str().expect("UTF-8").to_owned()
}

fn out(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join(name);
    (directory, file)
}

fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// What is said of something that is refused.
fn refused(arguments: &[&str]) -> String {
    let output = referee(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// The float32 numbers of an NPY file.
fn numbers(file: &Path) -> Vec<f32> {
    let bytes = fs::read(file).expect("an NPY file");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (numbers, _) = bytes[header..].as_chunks();
    numbers
        .iter()
        .map(|number| f32::from_le_bytes(*number))
        .collect()
}

/// Runs a model over the pictures, and returns what was noticed.
fn predicted(model: &str, more: &[&str]) -> String {
    let (_directory, out) = out("logits.npy");
    let (file, images) = (fixture(&format!("{model}.onnx")), fixture("images.npy"));
    let out_path = out.to_str().expect("UTF-8");
    let fixed = [
        "predict", &file, &images, "-o", out_path, "--logits", "--device", "cpu",
    ];
    let output = referee(&[&fixed[..], more].concat());
    stdout(&output);
    let expected = numbers(Path::new(&fixture(&format!("{model}.npy"))));
    let found = numbers(&out);
    assert_eq!(found.len(), expected.len(), "{model}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{model}: {found}, expected {expected}"
        );
    }
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn what_does_not_lead_to_the_answer_is_not_read() {
    for model in [
        "unsorted",
        "non-zero",
        "last-dimension",
        "window-beyond",
        "sequences",
        "filled",
    ] {
        predicted(model, &["--preprocess", RECIPE]);
    }
    // A sequence of maps beside the logits, and features before them.
    let recipe = ["--preprocess", RECIPE];
    predicted("zip-map", &[&recipe[..], &["--output", "logits"]].concat());
    predicted("zip-map", &recipe);
    predicted(
        "features-first",
        &[&recipe[..], &["--output", "logits"]].concat(),
    );
    let classes = fixture("six.txt");
    predicted(
        "features-first",
        &[&recipe[..], &["--classes", &classes]].concat(),
    );
}

#[test]
fn integers_wrap_at_their_width() {
    predicted("uint8-wraps", &[]);
}

#[test]
fn what_others_call_preprocess_is_named_and_left_alone() {
    let noticed = predicted("foreign-metadata", &["--preprocess", RECIPE]);
    assert!(noticed.contains("`preprocess`"), "{noticed}");
}

#[test]
fn an_image_without_a_batch_is_refused() {
    let (file, images) = (fixture("one-image.onnx"), fixture("images.npy"));
    let (_directory, out) = out("logits.npy");
    let said = refused(&[
        "predict",
        &file,
        &images,
        "-o",
        out.to_str().expect("UTF-8"),
        "--logits",
    ]);
    assert!(
        said.contains("[?, ?, 3], one image without a batch"),
        "{said}"
    );
}

#[test]
fn a_profile_is_of_the_output_that_answers() {
    let profile = |arguments: &[&str]| {
        let fixed = ["profile", "--json"];
        let text = stdout(&referee(&[&fixed[..], arguments].concat()));
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        (document["parameters"].as_u64(), document["depth"].as_u64())
    };
    let file = fixture("features-first.onnx");
    // 8·3·3·3 + 8, and 6·8 + 6, by hand.
    assert_eq!(profile(&[&file]), (Some(278), Some(2)));
    assert_eq!(profile(&[&file, "--output", "r"]), (Some(224), Some(1)));
    let said = refused(&["profile", &file, "--output", "scores"]);
    assert!(said.contains("no output scores"), "{said}");
    // By its content, whatever it is called.
    let (_directory, renamed) = out("network.safetensors");
    fs::copy(&file, &renamed).expect("copied");
    assert_eq!(
        profile(&[renamed.to_str().expect("UTF-8")]),
        (Some(278), Some(2))
    );
}

#[test]
fn what_stands_for_a_model_is_named_by_every_command() {
    let (directory, out) = out("out.npy");
    let out = out.to_str().expect("UTF-8");
    let images = fixture("images.npy");
    let classes = fixture("six.txt");
    let files: [(&str, &[u8], &str); 6] = [
        ("model.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n", "git lfs pull"),
        ("model.ort", b"\x18\x00\x00\x00ORTM\x00\x00\x00\x00", "ONNX Runtime's own format"),
        ("model.textproto", b"ir_version: 8\ngraph {\n}\n", "format='textproto'"),
        ("model.xml", b"<?xml version=\"1.0\"?>\n<net name=\"a\" version=\"11\">\n", "OpenVINO"),
        (
            "model.safetensors.index.json",
            b"{\"metadata\": {\"total_size\": 8}, \"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}",
            "index of weights",
        ),
        ("__0_0.distcp", b"PK\x03\x04", "dcp_to_torch"),
    ];
    for (name, content, sentence) in files {
        let file = directory.path().join(name);
        fs::write(&file, content).expect("a file");
        let file = file.to_str().expect("UTF-8");
        for command in [
            &["predict", file, &images, "-o", out][..],
            &["profile", file],
            &["convert", file, out],
            &["check", file, "--classes", &classes, "--images", "5"],
        ] {
            let said = refused(command);
            assert!(said.contains(sentence), "{command:?}: {said}");
        }
    }
    let distributed = directory.path().join("checkpoint");
    fs::create_dir(&distributed).expect("a directory");
    fs::write(distributed.join(".metadata"), b"\x80\x02").expect("a file");
    let said = refused(&["convert", distributed.to_str().expect("UTF-8"), out]);
    assert!(said.contains("dcp_to_torch"), "{said}");
}

#[test]
fn what_tools_leave_among_tensors_gets_the_line_that_mends_it() {
    let said_of = |name: &str| {
        let (_directory, out) = out("out.safetensors");
        let out = out.to_str().expect("UTF-8");
        let converted = referee(&["convert", &fixture(name), out]);
        stdout(&converted);
        let said = refused(&["profile", out, "--architecture", "perceptron"]);
        (String::from_utf8(converted.stderr).expect("UTF-8"), said)
    };
    let (_, extra) = said_of("extra-state.pth");
    assert!(
        extra.contains(
            "save {k: v for k, v in state_dict.items() if not k.endswith(\"_extra_state\")}"
        ),
        "{extra}"
    );
    let (converted, pruned) = said_of("pruned.pth");
    for said in [converted, pruned] {
        assert!(said.contains("torch.nn.utils.prune.remove(m, "), "{said}");
    }
}

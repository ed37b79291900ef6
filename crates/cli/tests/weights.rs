//! `referee convert` and `referee profile` on files that PyTorch wrote (`crates/networks/tests/checkpoints`).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn referee(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    command.args(arguments).output().expect("referee runs")
}

fn fixture(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../networks/tests/checkpoints");
    path(&directory.join(name))
}

fn path(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn out() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("out.safetensors");
    (directory, file)
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn convert_says_what_it_found() {
    let (_directory, out) = out();
    let output = referee(&["convert", &fixture("imagenet_example.pth"), &path(&out)]);
    let wrote = format!("wrote      {}\n", out.display());
    assert_eq!(
        stdout(&output),
        format!("found      9 tensors, 156 B, under `state_dict`\n{wrote}")
    );

    let again = referee(&["convert", &fixture("zip.pth"), &path(&out)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("is there already"),
        "{}",
        stderr(&again)
    );
}

#[test]
fn convert_asks_which_of_several_state_dicts() {
    let (_directory, out) = out();
    let output = referee(&["convert", &fixture("ema.pth"), &path(&out)]);
    assert_eq!(output.status.code(), Some(1));
    let asked = stderr(&output);
    assert!(
        asked.contains("--key") && asked.contains("state_dict_ema (8 tensors)"),
        "{asked}"
    );
    assert!(!out.exists());
    let ema = ["--key", "state_dict_ema"];
    let output = referee(&["convert", &fixture("ema.pth"), &path(&out), ema[0], ema[1]]);
    assert!(stdout(&output).contains("under `state_dict_ema`"));
}

#[test]
fn convert_warns_where_the_architecture_is_another() {
    let (_directory, out) = out();
    let file = fixture("densenet.pth");
    let output = referee(&[
        "convert",
        &file,
        &path(&out),
        "--architecture",
        "densenet121",
    ]);
    let said = stdout(&output);
    let layer = "features.denseblock1.denselayer1";
    let renamed = format!("renamed    2: {layer}.norm.1.weight to {layer}.norm1.weight");
    assert!(said.contains(&renamed), "{said}");
    let warning = stderr(&output);
    let start = "referee: warning: the tensors are not those of densenet121: ";
    assert!(warning.starts_with(start), "{warning}");
}

#[test]
fn convert_names_what_is_no_state_dict() {
    let (_directory, out) = out();
    for (name, part) in [
        ("whole_module.pth", "a whole module"),
        ("torchscript.pth", "TorchScript"),
    ] {
        let output = referee(&["convert", &fixture(name), &path(&out)]);
        assert_eq!(output.status.code(), Some(1));
        let error = stderr(&output);
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
        assert!(!out.exists());
    }
}

#[test]
fn profile_counts_as_torchvision_does() {
    // torchvision's own table of parameters and GMACs, and the depth in the networks' names and papers.
    for (architecture, parameters, gmacs, depth) in [
        ("resnet50", 25_557_032, 4.089, 50),
        ("vgg16", 138_357_544, 15.470, 16),
        ("alexnet", 61_100_840, 0.714, 8),
        ("densenet121", 7_978_856, 2.834, 121),
    ] {
        let output = referee(&["profile", "--architecture", architecture, "--json"]);
        let profile: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!(profile["parameters"], parameters, "{architecture}");
        assert_eq!(profile["depth"], depth, "{architecture}");
        let macs = profile["macs"].as_f64().expect("a number") / 1e9;
        assert!((macs / gmacs - 1.0).abs() < 0.005, "{architecture}: {macs}");
    }
    let text = stdout(&referee(&["profile", "--architecture", "mlp(512,256)"]));
    // 784·512 + 512, 512·256 + 256, 256·10 + 10.
    assert!(text.contains("parameters  535,818"), "{text}");
}

#[test]
fn profile_refuses_a_file_of_another_network() {
    let file = fixture("zip.safetensors");
    let unsaid = stderr(&referee(&["profile", &file]));
    assert!(unsaid.contains("those of no network"), "{unsaid}");
    let output = referee(&["profile", &file, "--architecture", "resnet18"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("are missing"),
        "{}",
        stderr(&output)
    );
    let output = referee(&["profile", "--architecture", "resnet51"]);
    assert_eq!(output.status.code(), Some(2));
}

//! From a file and images to rows: the same for the worker and the command line.

use std::ops::ControlFlow;

use candle_core::Device;
use referee_networks::images::{DecodedOnDemand, Geometry, TestSet};
use referee_networks::onnx::SideFiles;
use referee_networks::predict::{ModelFile, PredictError, Predictor, Task, open};
use referee_networks::zoo::{self, ZooOptions};
use referee_scoring::model_form::ModelForm;
use referee_scoring::npy;
use referee_scoring::record::Row;
use safetensors::tensor::{Dtype, TensorView};

const CLASSES: usize = 7;
const PIXELS: usize = 28 * 28;

/// Seven pictures of black and white, without a pattern.
fn pictures() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..CLASSES * PIXELS)
        .map(|_| if random.bool() { 255 } else { 0 })
        .collect()
}

/// A perceptron that knows each of the pictures: the scalar product with ±1 where it is white or black is largest for its own. The
/// last two classes have the same weights.
fn perceptron(metadata: &[(&str, &str)]) -> Vec<u8> {
    let mut weights: Vec<f32> = pictures()
        .iter()
        .map(|&pixel| f32::from(pixel) / 127.5 - 1.0)
        .collect();
    let (known, last) = weights.split_at_mut((CLASSES - 1) * PIXELS);
    last.copy_from_slice(&known[(CLASSES - 2) * PIXELS..]);
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let (weights, bias) = (bytes(&weights), bytes(&[0.0; CLASSES]));
    let tensors = [
        (
            "fc.weight",
            TensorView::new(Dtype::F32, vec![CLASSES, PIXELS], &weights).expect("a tensor"),
        ),
        (
            "fc.bias",
            TensorView::new(Dtype::F32, vec![CLASSES], &bias).expect("a tensor"),
        ),
    ];
    let metadata = metadata
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect();
    safetensors::serialize(tensors, Some(metadata)).expect("a file")
}

fn file(bytes: Vec<u8>) -> ModelFile {
    ModelFile {
        filename: "model".into(),
        model: bytes.into(),
        data: SideFiles::default(),
    }
}

const TASK: Task = Task {
    classes: Some(CLASSES),
    image: Some([28, 28, 1]),
};

fn load(
    bytes: Vec<u8>,
    form: &ModelForm,
    task: Task,
) -> Result<(Predictor, ModelForm), PredictError> {
    let (opened, form) = open(file(bytes), form, task)?;
    Ok((Predictor::new(opened, &form, task, &Device::Cpu)?, form))
}

fn form(fields: &[(&str, &str)]) -> ModelForm {
    let mut form = ModelForm::default();
    for (name, text) in fields {
        form.set(name, text).expect(name);
    }
    form
}

fn test_set(directory: &tempfile::TempDir) -> TestSet {
    let path = directory.path().join("images.npy");
    let header = npy::header("|u1", &[CLASSES, 28, 28]);
    std::fs::write(&path, [header, pictures()].concat()).expect("a file");
    TestSet::open(&path).expect("a test set")
}

#[test]
fn a_network_becomes_rows_of_the_record() {
    let directory = tempfile::tempdir().expect("a directory");
    let set = test_set(&directory);
    let metadata = [("architecture", "perceptron"), ("class_order", "wnid")];
    let (predictor, form) =
        load(perceptron(&metadata), &ModelForm::default(), TASK).expect("a model");
    assert_eq!(form.class_order, Some("wnid".parse().expect("an order")));
    let pixels =
        DecodedOnDemand::new(&set, Geometry::of(predictor.preprocessing())).expect("pixels");
    let mut rows: Vec<Row> = Vec::new();
    let mut batches = Vec::new();
    let all = predictor.run(&pixels, 0..CLASSES, 3, |done| {
        rows.extend(done.answers);
        batches.push(done.images);
        ControlFlow::Continue(())
    });
    all.expect("rows");
    assert_eq!(batches, [0..3, 3..6, 6..7]);
    let top1: Vec<i32> = rows.iter().map(|row| row[0]).collect();
    // The classes 5 and 6 always tie, which counts against the submitter.
    assert_eq!(top1[..5], [0, 1, 2, 3, 4]);
    assert_eq!(top1[5], -1);
    assert!(
        rows[5][1..3].contains(&5) && rows[5][1..3].contains(&6),
        "{:?}",
        rows[5]
    );

    let mut logits = Vec::new();
    let some = predictor.run_logits(&pixels, 2..4, 1, |done| {
        logits.extend(done.answers);
        ControlFlow::Break(())
    });
    some.expect("logits");
    // White pixels are 1, black ones 0: as many as the picture has white ones.
    let white: f32 = pictures()[2 * PIXELS..3 * PIXELS]
        .iter()
        .map(|&pixel| f32::from(pixel / 255))
        .sum();
    assert_eq!(logits.len(), CLASSES, "one batch of one image");
    assert!((logits[2] - white).abs() < 1e-3, "{logits:?}");
}

#[test]
fn the_form_counts_before_the_file() {
    let metadata = [
        ("architecture", "mlp(5)"),
        ("preprocess", r#"{"mean":0.5,"std":0.5}"#),
    ];
    let (predictor, _) = load(
        perceptron(&metadata),
        &form(&[("architecture", "perceptron")]),
        TASK,
    )
    .expect("a model");
    assert_eq!(predictor.preprocessing().mean, [0.5]);
    let unknown = Task {
        classes: None,
        ..TASK
    };
    let (predictor, _) = load(
        perceptron(&metadata),
        &form(&[("architecture", "perceptron")]),
        unknown,
    )
    .expect("a model");
    let black = predictor.rows(&[0; 2 * PIXELS], 2).expect("rows");
    assert_eq!(black.len(), 2);
}

#[test]
fn metadata_that_is_no_recipe_is_left_alone() {
    let noticed = |preprocess: &str, fields: &[(&str, &str)]| {
        let metadata = [("architecture", "perceptron"), ("preprocess", preprocess)];
        load(perceptron(&metadata), &form(fields), TASK).map(|(predictor, _)| {
            let notices = predictor.notices();
            let ignored = notices
                .iter()
                .any(|notice| notice.code == "metadata_ignored");
            (ignored, predictor.preprocessing().mean.clone())
        })
    };
    let said = [("preprocess", r#"{"mean":0.25,"std":0.5}"#)];
    assert_eq!(noticed("imagenet", &[]).expect("a word"), (true, vec![0.0]));
    assert_eq!(
        noticed("imagenet", &said).expect("said"),
        (true, vec![0.25])
    );
    let broken = r#"{"mean":"grey"}"#;
    assert_eq!(noticed(broken, &said).expect("said"), (true, vec![0.25]));
    // Meant for the referee, and not understood.
    let refused = noticed(broken, &[]).expect_err("refused").to_string();
    assert!(
        refused.contains("in the file's metadata, `preprocess`"),
        "{refused}"
    );
}

#[test]
fn models_that_are_refused() {
    let sentence = |metadata: &[(&str, &str)], fields: &[(&str, &str)], task| {
        load(perceptron(metadata), &form(fields), task)
            .err()
            .expect("refused")
            .to_string()
    };
    assert_eq!(
        sentence(&[], &[], TASK),
        "safetensors holds tensors only: say which network they belong to; they fit architecture=perceptron, or in the file's metadata"
    );
    assert_eq!(
        sentence(&[("architecture", "perceptrons")], &[], TASK)
            .split(';')
            .next(),
        Some("in the file's metadata, `architecture`: no network is called `perceptrons`")
    );
    assert_eq!(
        sentence(
            &[("architecture", "perceptron")],
            &[("preprocess", r#"{"mean":[1,2,3],"std":1}"#)],
            TASK
        ),
        "`preprocess`: `mean` has 3 numbers, but the network takes 1 channel"
    );
    assert_eq!(
        sentence(
            &[("architecture", "perceptron")],
            &[],
            Task {
                classes: Some(10),
                ..TASK
            }
        ),
        "fc.weight is [7,784]; this challenge has 10 classes; replace the head"
    );
    let no_model = open(file(b"hello".to_vec()), &ModelForm::default(), TASK).expect_err("refused");
    assert!(matches!(no_model, PredictError::Onnx(_)), "{no_model}");
    // As pickle.dump begins with protocol 4.
    let pickle = open(
        file(b"\x80\x04\x95\x10".to_vec()),
        &ModelForm::default(),
        TASK,
    );
    let pickle = pickle.expect_err("refused").to_string();
    assert!(pickle.contains("safetensors"), "{pickle}");
}

/// A network of the zoo with random weights, as a file.
fn network(architecture: &str, input: [usize; 3]) -> Vec<u8> {
    let options = ZooOptions {
        num_classes: CLASSES,
        input,
    };
    let network = zoo::build(&architecture.parse().expect(architecture), &options).expect("built");
    let mut random = fastrand::Rng::with_seed(20);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = network
        .parameters()
        .iter()
        .map(|parameter| {
            let count = parameter.dims.iter().product();
            let values = (0..count).flat_map(|_| (0.1 * random.f32() + 0.01).to_le_bytes());
            (
                parameter.name.clone(),
                parameter.dims.clone(),
                values.collect(),
            )
        })
        .collect();
    let views = tensors.iter().map(|(name, dims, bytes)| {
        let view = TensorView::new(Dtype::F32, dims.clone(), bytes).expect("a tensor");
        (name, view)
    });
    let metadata = [("architecture".to_owned(), architecture.to_owned())];
    safetensors::serialize(views, Some(metadata.into())).expect("a file")
}

/// The file's tensors say how many channels the network takes; images of another number are brought to it, with a notice.
#[test]
fn images_of_other_channels_than_the_network_takes_are_handled_with_a_notice() {
    let notices = |channels: usize, of_images: Option<usize>| {
        let task = Task {
            classes: Some(CLASSES),
            image: of_images.map(|of_images| [28, 28, of_images]),
        };
        let recipe = form(&[("preprocess", r#"{"crop":28}"#)]);
        let loaded = load(network("resnet20", [channels, 28, 28]), &recipe, task);
        let (predictor, _) = loaded.expect("a model");
        assert_eq!(predictor.model().channels(), channels);
        let notices = predictor.notices();
        assert!(notices.iter().all(|notice| notice.code == "channels"));
        notices
            .into_iter()
            .map(|notice| notice.detail)
            .collect::<String>()
    };
    assert!(notices(3, Some(1)).contains("three equal ones"));
    assert!(notices(1, Some(3)).contains("made grey"));
    assert!(notices(1, None).contains("pictures in colour are made grey"));
    for (channels, of_images) in [(1, Some(1)), (3, Some(3)), (3, None)] {
        assert_eq!(notices(channels, of_images), "");
    }
}

/// Where tensors are missing, what is said of them is not blurred by the number of channels, which the file shows.
#[test]
fn a_misfit_is_described_for_the_channels_that_the_file_has() {
    let file = network("resnet20", [3, 28, 28]);
    let misfit = load(file, &form(&[("architecture", "resnet32")]), TASK);
    let misfit = misfit.err().expect("refused").to_string();
    assert!(misfit.contains("layer1.3.conv1.weight"), "{misfit}");
    assert!(!misfit.contains(" conv1.weight is"), "{misfit}");
}

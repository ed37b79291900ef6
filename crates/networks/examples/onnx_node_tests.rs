//! Runs ONNX's own node tests: `onnx_node_tests DIR...`, each a directory with `model.onnx` and `test_data_set_*`, as the
//! Python package `onnx` 1.22.0 has them in `onnx/backend/test/data/node`.
//!
//! A test passes when every output is within the tolerance of ONNX's own runner (1e-3 relative, 1e-7 absolute) and
//! integers are equal. Fails when a test of a listed operator with float32, int64 and bool inputs does not pass.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use candle_core::{DType, Device, Tensor};
use prost::Message;
use referee_networks::{
    DeviceChoice, ElementType, Executor,
    onnx::{Feed, OnnxError, OnnxFile, SideFiles, Stored, proto::TensorProto},
};

/// The operators that torchvision's and timm's classification networks export to.
const LISTED: &str = "Conv BatchNormalization Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Swish Mish Gelu Erf \
    Tanh Sin Cos Floor Ceil Mod Softmax LogSoftmax MaxPool AveragePool GlobalAveragePool GlobalMaxPool LRN \
    InstanceNormalization LayerNormalization GroupNormalization Gemm MatMul Einsum Add Sub Mul Div Pow Sqrt Exp Log Min \
    Max Abs Neg Reciprocal ReduceMean ReduceSum ReduceMax ReduceL2 CumSum ArgMax TopK Concat Split Slice Gather GatherND \
    Reshape Flatten Squeeze Unsqueeze Transpose Expand Tile Pad Resize Col2Im Shape Size Constant ConstantOfShape Range \
    Cast Where Equal Less LessOrEqual Greater GreaterOrEqual Identity Dropout DepthToSpace SpaceToDepth QuantizeLinear \
    DequantizeLinear RMSNormalization RotaryEmbedding";

/// Tests of listed operators that are not to pass, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "test_batchnorm_epsilon_training_mode",
        "training mode is run in inference mode, with a notice",
    ),
    (
        "test_batchnorm_example_training_mode",
        "training mode is run in inference mode, with a notice",
    ),
    (
        "test_resize_downsample_scales_cubic_align_corners",
        "the corners are aligned as PyTorch and ONNX Runtime do it, by whole lengths",
    ),
    (
        "test_resize_downsample_scales_linear_align_corners",
        "the corners are aligned as PyTorch and ONNX Runtime do it, by whole lengths",
    ),
    (
        "test_training_dropout",
        "training mode is run in inference mode, with a notice",
    ),
    (
        "test_training_dropout_default",
        "training mode is run in inference mode, with a notice",
    ),
    (
        "test_training_dropout_default_mask",
        "training mode is run in inference mode, with a notice",
    ),
    (
        "test_training_dropout_mask",
        "training mode is run in inference mode, with a notice",
    ),
];

enum Outcome {
    Passed,
    Failed(String),
    Unsupported(String),
}

struct Test {
    name: String,
    operator: String,
    /// Whether it has to pass.
    required: bool,
    outcome: Outcome,
}

fn main() -> ExitCode {
    let mut directories: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    directories.sort();
    let device = match DeviceChoice::open_from_environment() {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let tests: Vec<Test> = directories
        .iter()
        .map(|directory| test(directory, &device))
        .collect();

    let mut by_operator: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for test in &tests {
        let column = match test.outcome {
            Outcome::Passed => 0,
            Outcome::Failed(_) => 1,
            Outcome::Unsupported(_) => 2,
        };
        by_operator.entry(&test.operator).or_default()[column] += 1;
    }
    println!(
        "{:28} {:>6} {:>6} {:>11}",
        "operator", "passed", "failed", "unsupported"
    );
    for (operator, [passed, failed, unsupported]) in &by_operator {
        println!("{operator:28} {passed:>6} {failed:>6} {unsupported:>11}");
    }
    for test in &tests {
        if let Some((name, reason)) = EXCEPTIONS.iter().find(|(name, _)| *name == test.name) {
            println!("left out     {name}: {reason}");
            continue;
        }
        match &test.outcome {
            Outcome::Failed(reason) => println!("failed       {}: {reason}", test.name),
            Outcome::Unsupported(reason) if test.required => {
                println!("unsupported  {}: {reason}", test.name);
            }
            _ => {}
        }
    }
    let count = |wanted: fn(&Test) -> bool| tests.iter().filter(|test| wanted(test)).count();
    let all: [usize; 3] = by_operator.values().fold([0; 3], |sum, row| {
        [sum[0] + row[0], sum[1] + row[1], sum[2] + row[2]]
    });
    println!(
        "all tests: {} right, {} wrong, {} unsupported",
        all[0], all[1], all[2]
    );
    let good = count(|test| test.required && matches!(test.outcome, Outcome::Passed));
    let bad = count(|test| test.required && !matches!(test.outcome, Outcome::Passed));
    println!(
        "of listed operators with float32, int64 and bool inputs: {good} passed, {bad} failed"
    );
    if bad == 0 && good > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn test(directory: &Path, device: &Device) -> Test {
    let name = directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut test = Test {
        name,
        operator: "?".into(),
        required: false,
        outcome: Outcome::Passed,
    };
    let result = run(directory, &mut test, device);
    test.outcome = match result {
        Ok(()) => Outcome::Passed,
        Err(error) => match error.downcast_ref::<OnnxError>() {
            Some(OnnxError::Operator { .. } | OnnxError::Opset { .. }) => {
                Outcome::Unsupported(error.to_string())
            }
            Some(OnnxError::Tensor { detail, .. } | OnnxError::Node { detail, .. })
                if detail.contains("not supported") =>
            {
                Outcome::Unsupported(error.to_string())
            }
            Some(OnnxError::Graph(detail)) if detail.contains("not a tensor") => {
                Outcome::Unsupported(error.to_string())
            }
            _ => Outcome::Failed(error.to_string()),
        },
    };
    test
}

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn run(directory: &Path, test: &mut Test, device: &Device) -> Result<()> {
    let path = directory.join("model.onnx");
    // The graph itself says which operator is tested; a test "expanded" into several counts as composed.
    let model =
        referee_networks::onnx::proto::ModelProto::decode(std::fs::read(&path)?.as_slice())?;
    let nodes = model
        .graph
        .as_ref()
        .map(|graph| graph.node.as_slice())
        .unwrap_or_default();
    test.operator = match nodes {
        [only] => only.op_type().to_owned(),
        _ => "(composed)".to_owned(),
    };
    let file = OnnxFile::open(&path, SideFiles::default())?;
    let inputs = file.inputs()?;
    let outputs = file.outputs()?;
    let own = |element| {
        matches!(
            element,
            ElementType::F32 | ElementType::I64 | ElementType::Bool
        )
    };
    test.required = LISTED
        .split_whitespace()
        .any(|listed| listed == test.operator)
        && inputs.iter().all(|input| own(input.element))
        && !EXCEPTIONS.iter().any(|(name, _)| *name == test.name);
    for set in 0.. {
        let set = directory.join(format!("test_data_set_{set}"));
        if !set.exists() {
            break;
        }
        let mut feeds = Vec::new();
        let mut image = None;
        for (index, input) in inputs.iter().enumerate() {
            let stored = read(&set.join(format!("input_{index}.pb")))?;
            // One input flows; the others are given with the network.
            let flows = image.is_none() && stored.dims.first().is_some_and(|&batch| batch > 0);
            let feed = if flows {
                image = Some(stored.tensor()?);
                Feed::Image {
                    dims: stored.dims[1..].to_vec(),
                    element: stored.element,
                    fixed_batch: None,
                }
            } else {
                Feed::Tensor(stored)
            };
            feeds.push((input.name.clone(), feed));
        }
        if image.is_none() {
            feeds.push((
                "(no image)".into(),
                Feed::Image {
                    dims: vec![1],
                    element: ElementType::F32,
                    fixed_batch: None,
                },
            ));
        }
        let image = match image {
            Some(image) => image,
            None => Tensor::zeros((1, 1), DType::F32, &Device::Cpu)?,
        };
        for (index, output) in outputs.iter().enumerate() {
            let expected = read(&set.join(format!("output_{index}.pb")))?;
            let imported = file.network("test", feeds.clone(), &output.name)?;
            let computed =
                Executor::new(&imported.network, &imported.weights, device)?.infer(&image)?;
            compare(&computed, &expected)
                .map_err(|reason| format!("output {}: {reason}", output.name))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Stored> {
    let tensor = TensorProto::decode(std::fs::read(path)?.as_slice())?;
    Ok(Stored::read(&tensor, &SideFiles::default())?)
}

fn compare(computed: &Tensor, expected: &Stored) -> Result<()> {
    if computed.dims() != expected.dims {
        return Err(format!("shape {:?}, expected {:?}", computed.dims(), expected.dims).into());
    }
    if computed.dtype().is_float() != expected.element.is_float() {
        return Err(format!("{:?}, expected {:?}", computed.dtype(), expected.element).into());
    }
    if !expected.element.is_float() {
        let computed: Vec<i64> = computed.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?;
        let expected = expected.to_i64();
        return if computed == expected {
            Ok(())
        } else {
            Err(format!("{computed:?}, expected {expected:?}").into())
        };
    }
    let computed: Vec<f32> = computed.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    for (index, (computed, expected)) in computed.into_iter().zip(expected.to_f32()).enumerate() {
        #[expect(clippy::float_cmp, reason = "infinities are equal or not")]
        let same = computed == expected || (computed.is_nan() && expected.is_nan());
        let near = (computed - expected).abs() <= 1e-7 + 1e-3 * expected.abs();
        if !same && !near {
            return Err(format!("element {index} is {computed}, expected {expected}").into());
        }
    }
    Ok(())
}

//! Runs ONNX's own node tests: `onnx_node_tests [--write] TABLE.md DIR...`, each DIR with `model.onnx` and
//! `test_data_set_*`, as the Python package `onnx` 1.22.0 has them in `onnx/backend/test/data/node`.
//!
//! A test passes when every output is within the tolerance of ONNX's own runner (1e-3 relative, 1e-7 absolute) and
//! integers are equal. What does not pass has to be in one of the [`GROUPS`], whose reason says why no image classifier
//! holds it; what is in none fails. The table in TABLE.md has to be the one that comes out (`--write` writes it there).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
};

use candle_core::{DType, Device, Tensor};
use prost::Message;
use referee_networks::{
    DeviceChoice, ElementType, Executor,
    onnx::{
        Feed, OnnxFile, SideFiles, Stored,
        proto::{GraphProto, ModelProto, TensorProto, ValueInfoProto, tensor_proto, type_proto},
    },
};

/// Why tests of a kind are not to pass.
struct Group {
    what: &'static str,
    reason: &'static str,
    /// It claims what has one of these operators in its graph,
    operators: &'static [&'static str],
    /// or a value of one of these types,
    types: &'static [&'static str],
    /// or a name that begins like this.
    names: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group {
        what: "losses",
        reason: "compare an answer with its label, which no submission has",
        operators: &["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"],
        types: &[],
        names: &[],
    },
    Group {
        what: "optimisers",
        reason: "steps of training",
        operators: &["Adagrad", "Adam", "Momentum"],
        types: &[],
        names: &[],
    },
    Group {
        what: "training mode",
        reason: "runs in inference mode, with a notice: statistics of a batch would let images answer for each other",
        operators: &[],
        types: &[],
        names: &[
            "test_batchnorm_epsilon_training_mode",
            "test_batchnorm_example_training_mode",
            "test_training_dropout",
        ],
    },
    Group {
        what: "random numbers",
        reason: "two runs would answer differently; at test time there are none",
        operators: &["Bernoulli", "RandomUniformLike"],
        types: &[],
        names: &[],
    },
    Group {
        what: "words",
        reason: "pixels go in and numbers come out; strings beside the logits are not read",
        operators: &["TfIdfVectorizer"],
        types: &["STRING"],
        names: &[],
    },
    Group {
        what: "sequences and optional values",
        reason: "a tensor goes in and a tensor comes out; what exports do with sequences inside has constant places, and is read",
        operators: &[
            "OptionalGetElement",
            "OptionalHasElement",
            "SequenceMap",
            "SequenceInsert",
            "SplitToSequence",
            "SequenceEmpty",
        ],
        types: &["sequence", "optional"],
        names: &[],
    },
    Group {
        what: "tables and trees",
        reason: "`ai.onnx.ml` is for rows of features, not for images",
        operators: &[
            "ArrayFeatureExtractor",
            "Binarizer",
            "LabelEncoder",
            "TreeEnsemble",
        ],
        types: &[],
        names: &[],
    },
    Group {
        what: "encoded pictures",
        reason: "images arrive as pixels, decoded alike for every submission",
        operators: &["ImageDecoder"],
        types: &[],
        names: &[],
    },
    Group {
        what: "boxes and regions",
        reason: "detectors' answers: how many there are depends on the image",
        operators: &["NonMaxSuppression", "RoiAlign", "MaxUnpool"],
        types: &[],
        names: &[],
    },
    Group {
        what: "shapes that depend on what is seen",
        reason: "each image has one answer of one length",
        operators: &["Unique"],
        types: &[],
        names: &[],
    },
    Group {
        what: "sound",
        reason: "windows and spectra of one-dimensional signals",
        operators: &[
            "BlackmanWindow",
            "HammingWindow",
            "HannWindow",
            "MelWeightMatrix",
            "STFT",
        ],
        types: &[],
        names: &[],
    },
    Group {
        what: "caches of generated text",
        reason: "what an earlier call left behind: each image is seen once",
        operators: &["CausalConvWithState", "LinearAttention", "TensorScatter"],
        types: &[],
        names: &[],
    },
    Group {
        what: "programs inside attention",
        reason: "opset 26's `FlexAttention`, which no exporter writes by default",
        operators: &["FlexAttention"],
        types: &[],
        names: &[],
    },
    Group {
        what: "bits of numbers",
        reason: "how a number lies in memory; a classifier calculates with its value",
        operators: &["BitCast"],
        types: &[],
        names: &[],
    },
    Group {
        what: "determinants",
        reason: "of no exported layer",
        operators: &["Det"],
        types: &[],
        names: &[],
    },
    Group {
        what: "`Scan` before opset 9",
        reason: "no exporter wrote it: the tests' own is of opset 8, of which nothing else is known",
        operators: &[],
        types: &[],
        names: &["test_scan_sum"],
    },
    Group {
        what: "scales of powers of two",
        reason: "`float8e8m0` scales blocks of language models' weights",
        operators: &[],
        types: &["FLOAT8E8M0"],
        names: &[],
    },
    Group {
        what: "noise",
        reason: "the test expects 2e-7 where the transform is 0, closer than ONNX's tolerance",
        operators: &[],
        types: &[],
        names: &["test_dft_inverse"],
    },
    Group {
        what: "opset 1",
        reason: "of 2017; what exporters write today begins at 7",
        operators: &[],
        types: &[],
        names: &["test_not_"],
    },
    Group {
        what: "aligned corners by fractions",
        reason: "aligned as PyTorch and ONNX Runtime do it, by whole lengths",
        operators: &[],
        types: &[],
        names: &[
            "test_resize_downsample_scales_cubic_align_corners",
            "test_resize_downsample_scales_linear_align_corners",
        ],
    },
];

/// The table stands between these lines.
const BEGIN: &str = "<!-- node tests: written by the example onnx_node_tests -->";
const END: &str = "<!-- end of node tests -->";

struct Test {
    name: String,
    /// The only operator of its graph, or `(composed)`: a test "expanded" into several.
    operator: String,
    operators: BTreeSet<String>,
    types: BTreeSet<String>,
    /// What is wrong; `None` where it passed.
    fault: Option<String>,
    /// Whether it ran, and answered otherwise.
    wrong: bool,
}

impl Test {
    fn is_of(&self, group: &Group) -> bool {
        let among =
            |names: &[&str], held: &BTreeSet<String>| names.iter().any(|name| held.contains(*name));
        // A wrong answer is excused by name only.
        !self.wrong && (among(group.operators, &self.operators) || among(group.types, &self.types))
            || group.names.iter().any(|name| self.name.starts_with(name))
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let write = arguments
        .first()
        .is_some_and(|first| first.as_os_str() == "--write");
    if write {
        arguments.remove(0);
    }
    let [table_at, directories @ ..] = arguments.as_mut_slice() else {
        eprintln!("onnx_node_tests [--write] TABLE.md DIR...");
        return ExitCode::FAILURE;
    };
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
    report(&tests);
    let failed = tests
        .iter()
        .filter(|test| test.fault.is_some() && group(test).is_none());
    let failed = failed.count();
    let table = table(&tests);
    println!("\n{table}");
    let current = replace(table_at, &table, write);
    if let Err(fault) = &current {
        println!("{}: {fault}", table_at.display());
    }
    let passed = tests.iter().filter(|test| test.fault.is_none()).count();
    println!(
        "{passed} passed, {} failed",
        failed + usize::from(current.is_err())
    );
    if failed == 0 && current.is_ok() && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The group that an unsupported test is of.
fn group(test: &Test) -> Option<usize> {
    test.fault.as_ref()?;
    GROUPS.iter().position(|group| test.is_of(group))
}

fn report(tests: &[Test]) {
    let mut by_operator: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for test in tests {
        let column = match (&test.fault, group(test)) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(_), Some(_)) => 2,
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
    for test in tests {
        if let Some(fault) = &test.fault {
            let what = group(test).map_or("failed", |group| GROUPS[group].what);
            println!("{what:36} {}: {fault}", test.name);
        }
    }
}

/// What is kept beside the product's documentation.
fn table(tests: &[Test]) -> String {
    let mut counts = vec![0; GROUPS.len()];
    for group in tests.iter().filter_map(group) {
        counts[group] += 1;
    }
    let unsupported: usize = counts.iter().sum();
    let passed = tests.iter().filter(|test| test.fault.is_none()).count();
    let mut table = format!(
        "Of {} tests {passed} pass, {} fail and {unsupported} are not supported:\n\n| what | tests | why no image classifier holds it |\n| --- | ---: | --- |\n",
        tests.len(),
        tests.len() - passed - unsupported,
    );
    for (group, count) in GROUPS.iter().zip(counts).filter(|(_, count)| *count > 0) {
        let mut operators: Vec<String> = group
            .operators
            .iter()
            .map(|operator| format!("`{operator}`"))
            .collect();
        operators.extend(group.types.iter().map(|of| format!("`{of}`")));
        let names = if operators.is_empty() {
            String::new()
        } else {
            format!(" ({})", operators.join(", "))
        };
        let line = format!("| {}{names} | {count} | {} |\n", group.what, group.reason);
        table.push_str(&line);
    }
    table
}

/// Compares the table in a file, or writes it there.
fn replace(path: &Path, table: &str, write: bool) -> Result<()> {
    let page = std::fs::read_to_string(path)?;
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or("it has no place for the table")?;
    let (held, after) = rest.split_once(END).ok_or("the table's end is missing")?;
    if held.trim() == table.trim() {
        return Ok(());
    }
    if write {
        let page = format!("{before}{BEGIN}\n\n{table}\n{END}{after}");
        return Ok(std::fs::write(path, page)?);
    }
    Err("its table is another; write it again with --write".into())
}

fn test(directory: &Path, device: &Device) -> Test {
    let name = directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut test = Test {
        name,
        operator: "?".into(),
        operators: BTreeSet::new(),
        types: BTreeSet::new(),
        fault: None,
        wrong: false,
    };
    test.fault = run(directory, &mut test, device)
        .err()
        .map(|error| error.to_string());
    test
}

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What a graph and the graphs in it hold.
fn survey(graph: &GraphProto, test: &mut Test) {
    for node in &graph.node {
        test.operators.insert(node.op_type().to_owned());
        for attribute in &node.attribute {
            if let Some(body) = &attribute.g {
                survey(body, test);
            }
        }
    }
    let values = graph.input.iter().chain(&graph.output);
    test.types.extend(values.filter_map(type_name));
}

fn type_name(value: &ValueInfoProto) -> Option<String> {
    Some(match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(of) => {
            let of = tensor_proto::DataType::try_from(of.elem_type()).ok()?;
            of.as_str_name().to_owned()
        }
        type_proto::Value::SequenceType(_) => "sequence".to_owned(),
        type_proto::Value::OptionalType(_) => "optional".to_owned(),
        _ => return None,
    })
}

fn run(directory: &Path, test: &mut Test, device: &Device) -> Result<()> {
    let path = directory.join("model.onnx");
    let model = ModelProto::decode(std::fs::read(&path)?.as_slice())?;
    if let Some(graph) = &model.graph {
        survey(graph, test);
        test.operator = match graph.node.as_slice() {
            [only] => only.op_type().to_owned(),
            _ => "(composed)".to_owned(),
        };
    }
    for function in &model.functions {
        test.operators.insert(function.name().to_owned());
    }
    let file = OnnxFile::open(&path, SideFiles::default())?;
    let inputs = file.inputs()?;
    let outputs = file.outputs()?;
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
                    fixed_batch: stored.dims.first().copied(),
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
            if let Err(reason) = compare(&computed, &expected) {
                test.wrong = true;
                return Err(format!("output {}: {reason}", output.name).into());
            }
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

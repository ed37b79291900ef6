use std::path::PathBuf;

use crate::NetworkError;

/// Why an ONNX file is not accepted, as a sentence for the person who made it.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the file is empty: send it again")]
    Empty,
    #[error("the ONNX file ends within a field: it was cut off; send it again")]
    CutOff,
    #[error(
        "this is not an ONNX file ({0}); torch.onnx.export(model, (image,), \"model.onnx\") writes one"
    )]
    NotOnnx(String),
    #[error(
        "{bytes} bytes in one ONNX file; the limit is 2 GiB. Send the weights as safetensors with `architecture`, or \
         export with external data (torch.onnx.export(…, external_data=True))"
    )]
    TooLarge { bytes: u64 },
    #[error(
        "opset {version} of ONNX's operators; opsets {} to {} are accepted: export again with opset_version=18",
        super::OLDEST_OPSET,
        super::NEWEST_OPSET
    )]
    Opset { version: i64 },
    /// More of something than a network has.
    #[error("{what}: {found}, the limit is {limit}")]
    Limit {
        what: String,
        found: usize,
        limit: usize,
    },
    #[error("tensor {tensor}: {detail}")]
    Tensor { tensor: String, detail: String },
    #[error(
        "tensor {tensor}: its data lies in a file {location:?} that was not sent; send it as a further part named `data` with that file name"
    )]
    SideFile { tensor: String, location: String },
    /// On the machine of the person who made it.
    #[error("it keeps tensors in `{location}`, which is not beside it: {remedy}")]
    Beside {
        location: String,
        remedy: &'static str,
    },
    #[error("node {node}: operator {operator} is not supported{}", instead_of(.operator, *.opset))]
    Operator {
        node: String,
        operator: String,
        /// That the node is written in.
        opset: i64,
    },
    #[error("node {node} ({operator}): {detail}")]
    Node {
        node: String,
        operator: String,
        detail: String,
    },
    /// The graph as a whole: a value without origin, an output that does not exist.
    #[error("{0}")]
    Graph(String),
    #[error(transparent)]
    Network(#[from] NetworkError),
}

pub(super) type Result<T, E = OnnxError> = std::result::Result<T, E>;

/// Exporters write what later opsets added in the operators of this one.
const COMMON_OPSET: i64 = 20;

/// What to send instead of a file with an operator that is not supported.
fn instead_of(operator: &str, opset: i64) -> &'static str {
    let is_quantised = |name: &str| {
        let parts = [
            "QLinear",
            "Quantize",
            "QGemm",
            "QAttention",
            "Integer",
            "NBits",
        ];
        parts.iter().any(|part| name.contains(part))
    };
    match operator.split_once("::").unwrap_or(("", operator)) {
        ("" | "com.microsoft", name) if is_quantised(name) => {
            ": send the float model, or quantise it with quantize_static(…, quant_format=QuantFormat.QDQ)"
        }
        ("com.microsoft" | "com.microsoft.nchwc", _) => {
            ", which is ONNX Runtime's own: send the file from before it was optimised"
        }
        ("ai.onnx.ml", _) => {
            ", which belongs to no neural network: submit the predictions of such a model"
        }
        ("", _) if opset > COMMON_OPSET => {
            ": export again with opset_version=20, or replace that layer"
        }
        ("", _) => ": replace that layer by one that is exported in other operators",
        _ => ": it is an exporter's own; export with ONNX's operators only",
    }
}

/// A name from the file as a message shows it: printable, and not a page long.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(120)
        .collect();
    if name.chars().nth(120).is_some() {
        shown.push('…');
    }
    shown
}

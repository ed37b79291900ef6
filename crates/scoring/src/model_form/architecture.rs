//! The names of the networks in the zoo: `resnet50`, `vgg16_bn`, `mlp(512,256;relu)`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most hidden layers and the widest one that `mlp(…)` may ask for.
const MAX_LAYERS: usize = 64;
const MAX_WIDTH: u32 = 65_536;

/// Every network that is known by its name alone, in the order of its family's paper.
const NAMES: [&str; 33] = [
    "perceptron",
    "lenet5",
    "alexnet",
    "alexnet_2012",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "googlenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "plain20",
    "plain56",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "wrn_28_10",
    "resnext50_32x4d",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "mobilenet_v2",
];

/// A network of the zoo. Its classes, channels and input size are the challenge's and the file's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// One of the names that take no options.
    Named(&'static str),
    /// A multi-layer perceptron: the widths of its hidden layers, from the input on.
    Mlp {
        hidden: Vec<u32>,
        activation: Activation,
    },
}

/// What stands between the layers of a perceptron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    #[default]
    Relu,
    Tanh,
    Sigmoid,
}

/// Why an architecture is refused; each variant is a sentence with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchitectureError {
    #[error("no network is called `{name}`{}; there are {}, mlp(…)", suggestion(name), NAMES.join(", "))]
    Unknown { name: String },
    #[error("`{0}` takes no options: leave out what is in the brackets")]
    NoOptions(&'static str),
    #[error(
        "`{0}` is no multi-layer perceptron: write the widths of 1 to {MAX_LAYERS} hidden layers (each 1 to {MAX_WIDTH}) and perhaps an activation (relu, tanh or sigmoid), as in mlp(512,256;relu)"
    )]
    Mlp(String),
}

impl Architecture {
    /// The names of all networks without options.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter()
    }
}

impl FromStr for Architecture {
    type Err = ArchitectureError;

    fn from_str(text: &str) -> Result<Self, ArchitectureError> {
        let text = text.trim();
        let (name, options) = match text.split_once('(') {
            Some((name, rest)) => (name.trim_end(), Some(rest)),
            None => (text, None),
        };
        if name == "mlp" {
            return options
                .and_then(|options| mlp(options.strip_suffix(')')?))
                .ok_or_else(|| ArchitectureError::Mlp(shown(text)));
        }
        let known = NAMES.into_iter().find(|known| *known == name);
        match (known, options) {
            (Some(name), None) => Ok(Self::Named(name)),
            (Some(name), Some(_)) => Err(ArchitectureError::NoOptions(name)),
            (None, _) => Err(ArchitectureError::Unknown { name: shown(name) }),
        }
    }
}

fn mlp(options: &str) -> Option<Architecture> {
    let (widths, activation) = match options.split_once(';') {
        Some((widths, activation)) => (widths, Activation::named(activation.trim())?),
        None => (options, Activation::default()),
    };
    let hidden = widths
        .split(',')
        .map(|width| width.trim().parse().ok())
        .collect::<Option<Vec<u32>>>()?;
    let sensible =
        hidden.len() <= MAX_LAYERS && hidden.iter().all(|width| (1..=MAX_WIDTH).contains(width));
    sensible.then_some(Architecture::Mlp { hidden, activation })
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Mlp { hidden, activation } => {
                let widths: Vec<String> = hidden.iter().map(ToString::to_string).collect();
                write!(f, "mlp({};{activation})", widths.join(","))
            }
        }
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Activation {
    fn named(text: &str) -> Option<Self> {
        match text {
            "relu" => Some(Self::Relu),
            "tanh" => Some(Self::Tanh),
            "sigmoid" => Some(Self::Sigmoid),
            _ => None,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// `, did you mean `resnet50`?` where a known name is meant in another spelling: another case, `-` for `_`, a tag as timm's
/// `.a1_in1k` behind it.
fn suggestion(name: &str) -> String {
    let plain = |name: &str| {
        let name = name.split('.').next().unwrap_or_default();
        name.replace(['-', '_', ' '], "").to_ascii_lowercase()
    };
    NAMES
        .into_iter()
        .find(|known| plain(known) == plain(name))
        .map(|known| format!(" (did you mean `{known}`?)"))
        .unwrap_or_default()
}

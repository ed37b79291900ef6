use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use referee_networks::model::{Expected, Opened, Wanted, choose_output};
use referee_networks::onnx::OnnxFile;
use referee_networks::predict::ModelFile;
use referee_networks::weights::WeightsFile;
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{LayerProfile, Network};
use referee_scoring::model_form::Architecture;
use serde::Serialize;

use crate::input;
use crate::output::{self, Align, count};

/// Show a network's parameters, multiply-accumulates, depth and layers
///
/// Counted as the board does: trainable parameters without auxiliary heads; multiply-accumulates of convolutions and matrix products for
/// one image; weight layers on the longest path.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee profile --architecture resnet50\n  referee profile model.onnx --json"
)]
pub struct Profile {
    /// A .safetensors or .onnx file
    #[arg(required_unless_present = "architecture")]
    model: Option<PathBuf>,
    /// The network, such as resnet50 or mlp(512,256); a .safetensors file's is found by its tensors
    #[arg(long, value_name = "A")]
    architecture: Option<Architecture>,
    /// An image's channels, height and width [default: the network's usual ones, or the file's]
    #[arg(long, value_name = "CxHxW")]
    input: Option<ImageSize>,
    /// The number of classes [default: the usual one, or the file's]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// The ONNX output that holds the logits, where there are several
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `3x224x224`
#[derive(Clone, Copy)]
struct ImageSize([usize; 3]);

#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    /// Channels, height, width.
    input: &'a [usize],
    parameters: u64,
    macs: u64,
    /// Two operations for each multiply-accumulate, in thousand millions.
    gflops: f64,
    depth: usize,
    folded: bool,
    layers: &'a [LayerProfile],
}

impl Profile {
    pub fn run(self) -> anyhow::Result<()> {
        let network = self.network()?;
        let profile = network.profile()?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let gflops = 2.0 * profile.macs as f64 / 1e9;
        let document = Document {
            name: network.name(),
            input: &network.input().dims,
            parameters: profile.parameters,
            macs: profile.macs,
            gflops,
            depth: profile.depth,
            folded: profile.folded,
            layers: &profile.layers,
        };
        if self.json {
            return output::print_json(&document);
        }
        output::print(&text(&document))
    }

    fn network(&self) -> anyhow::Result<Network> {
        match &self.model {
            None => {
                let architecture = self.architecture.as_ref();
                let architecture = architecture.context("give a file or --architecture")?;
                let options = self.options(zoo::usual_options(architecture));
                Ok(zoo::build(architecture, &options)?)
            }
            Some(path) => self.file(path).with_context(|| cannot(path)),
        }
    }

    /// A file is what its content says, as `predict` and the server have it.
    fn file(&self, path: &Path) -> anyhow::Result<Network> {
        input::refuse_directory(path)?;
        let file = ModelFile::beside(path)?;
        if file.is_safetensors() {
            self.safetensors(&file)
        } else {
            self.onnx(file)
        }
    }

    fn safetensors(&self, file: &ModelFile) -> anyhow::Result<Network> {
        let weights = WeightsFile::read(&file.model)?;
        let stated = weights.metadata().get("architecture");
        let architecture = match (&self.architecture, stated) {
            (Some(architecture), _) => architecture.clone(),
            (None, Some(name)) => name.parse()?,
            (None, None) => weights.architecture().context(
                "its tensors are those of no network that the referee knows; give --architecture to see what differs",
            )?,
        };
        let options = self.options(weights.options(&architecture)?);
        let network = zoo::build(&architecture, &options)?;
        match weights.misfit(&network) {
            None => Ok(network),
            Some(misfit) => Err(misfit.into()),
        }
    }

    fn onnx(&self, file: ModelFile) -> anyhow::Result<Network> {
        let name = Path::new(&file.filename).file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let onnx = OnnxFile::decode(file.model, file.data)?;
        let names = onnx.output_names();
        let stated = onnx
            .metadata()
            .find(|(key, text)| *key == "output" && names.iter().any(|name| name == text))
            .map(|(_, text)| text.to_owned());
        let wanted = Wanted {
            name: self.output.as_deref().or(stated.as_deref()),
            columns: self.classes,
        };
        let expected = Expected {
            output: Some(choose_output(&onnx, wanted)?.name),
            ..Expected::default()
        };
        let opened = Opened::onnx(onnx, expected)?;
        let shape = opened.input();
        let given = self
            .input
            .map(|ImageSize([channels, height, width])| (channels, [height, width]));
        let (channels, size) = given
            .or(shape.channels.zip(shape.size))
            .or(opened.flat_length().map(|length| (1, [1, length])))
            .context("it leaves the size of its images open; give --input, such as 3x224x224")?;
        Ok(opened.into_network(&name, size, channels)?)
    }

    fn options(&self, usual: ZooOptions) -> ZooOptions {
        ZooOptions {
            num_classes: self.classes.unwrap_or(usual.num_classes),
            input: self.input.map_or(usual.input, |ImageSize(input)| input),
        }
    }
}

fn cannot(path: &Path) -> String {
    format!("{} has no profile", path.display())
}

fn text(document: &Document<'_>) -> String {
    let head = [
        ("network", document.name.to_owned()),
        ("input", shape(document.input)),
        ("parameters", count(document.parameters)),
        ("macs", count(document.macs)),
        ("gflops", format!("{:.3}", document.gflops)),
        ("depth", document.depth.to_string()),
    ];
    let mut text = String::new();
    for (label, value) in head {
        let _ = writeln!(text, "{label:<10}  {value}");
    }
    if document.folded {
        text +=
            "batch normalisation is folded into the convolutions, so its parameters are missing\n";
    }
    let columns = [
        ("layer", Align::Left),
        ("operator", Align::Left),
        ("output", Align::Right),
        ("parameters", Align::Right),
        ("macs", Align::Right),
    ];
    let rows = document.layers.iter().map(|layer| {
        [
            layer.name.clone(),
            layer.op.to_owned(),
            shape(layer.output_shape.get(1..).unwrap_or_default()),
            blank_zero(layer.parameters),
            blank_zero(layer.macs),
        ]
    });
    text + "\n" + &output::table(columns, rows)
}

fn shape(dims: &[usize]) -> String {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    dims.join("x")
}

fn blank_zero(number: u64) -> String {
    if number == 0 {
        String::new()
    } else {
        count(number)
    }
}

impl FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<usize>> =
            text.split('x').map(|number| number.parse().ok()).collect();
        let size = numbers.and_then(|numbers| numbers.try_into().ok());
        size.filter(|size: &[usize; 3]| size.iter().all(|length| (1..=4096).contains(length)))
            .map(Self)
            .ok_or_else(|| "expected channels, height and width, as in 3x224x224".to_owned())
    }
}

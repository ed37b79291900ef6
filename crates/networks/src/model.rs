//! A submitted model: a file and what its form says about it, as something that turns batches of images into answers.
//!
//! ```text
//! OnnxFile ─┐
//!           ├─> Opened ── input() ──> recipe resolved ──> prepare(size, …) ──> Model ── run(images) ──> Answers
//! Network ──┘   what the file shows by itself                                   trial run, profile, notices
//! ```
//!
//! What differs between files (layouts, several outputs, ranked classes, a batch size baked in) ends here: a [`Model`]
//! takes `[batch, channels, height, width]` and answers with one row of scores, or of ranked classes, for each image.

mod answers;
mod batching;
mod error;
mod filters;
mod input;
mod output;

use std::collections::BTreeSet;

use candle_core::{DType, Device, Tensor};
use referee_scoring::Notice;

pub use answers::Answers;
pub use error::ModelError;
pub use input::{ImageShape, Layout, channels_notice};
pub use output::{Wanted, choose_output, output_columns};

use crate::{
    Executor, Network, Profile, Weights, fuse,
    onnx::{Declared, Feed, Imported, OnnxFile},
};
use answers::Reading;
use batching::Batching;
use error::Result;
use input::Input;

/// What the form and the challenge say about a model's answers.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Of the challenge.
    pub classes: usize,
    /// So many first columns are no classes; `None` where the form does not say.
    pub class_offset: Option<usize>,
    /// The output that holds the logits, by its name in the file.
    pub output: Option<String>,
}

/// A model file that has been looked at, but whose image size may still be open.
#[derive(Debug)]
pub struct Opened {
    kind: Kind,
    expected: Expected,
    input: Input,
    precision: String,
    notices: Vec<Notice>,
}

#[derive(Debug)]
enum Kind {
    Onnx {
        file: Box<OnnxFile>,
        image: Declared,
        output: Declared,
    },
    Network {
        network: Network,
        weights: Weights,
    },
}

/// A model that has run on a trial batch.
#[derive(Debug)]
pub struct Model {
    executor: Executor,
    input: Input,
    /// Height and width of the images that it takes.
    size: [usize; 2],
    channels: usize,
    reading: Reading,
    batching: Batching,
    profile: Profile,
    precision: String,
    notices: Vec<Notice>,
}

impl Kind {
    fn output(&self) -> Option<&Declared> {
        match self {
            Self::Onnx { output, .. } => Some(output),
            Self::Network { .. } => None,
        }
    }

    /// What to say where the input proves to be an image without a batch.
    fn as_one_image(&self) -> Option<ModelError> {
        match self {
            Self::Onnx { image, .. } => Some(ModelError::OneImage {
                name: image.name.clone(),
                dims: image.dims.clone()?,
            }),
            Self::Network { .. } => None,
        }
    }

    /// The network for images of the dimensions `dims`.
    fn import(self, name: &str, dims: Vec<usize>, input: &Input) -> Result<Imported> {
        match self {
            Self::Network { network, .. } if network.input().dims != dims => {
                Err(ModelError::ImageSize {
                    takes: network.input().dims.clone(),
                    given: dims,
                })
            }
            Self::Network { network, weights } => Ok(Imported {
                network,
                weights,
                in_training_mode: BTreeSet::new(),
            }),
            Self::Onnx {
                file,
                image,
                output,
            } => {
                let size = <[usize; 2]>::try_from(dims.as_slice()).ok();
                let is_one_image = |size| input.is_one_image(&file, &image, &output.name, size);
                let feed = Feed::Image {
                    dims,
                    element: image.element,
                    fixed_batch: input.fixed_batch,
                };
                let imported = file.network(name, vec![(image.name.clone(), feed)], &output.name);
                let runs = |imported: &Imported| {
                    let batch = input.fixed_batch.unwrap_or(1);
                    imported.network.infer_shapes(batch).is_ok()
                };
                if let Some(size) = size
                    && !imported.as_ref().is_ok_and(runs)
                    && is_one_image(size)
                {
                    return Err(ModelError::OneImage {
                        name: image.name,
                        dims: image.dims.unwrap_or_default(),
                    });
                }
                Ok(imported?)
            }
        }
    }
}

/// Whether the network gives one answer, the same in shape, however many images there are.
fn answers_once(network: &Network) -> Result<bool> {
    let answer =
        |batch| Ok::<_, ModelError>(network.infer_shapes(batch)?.of(network.output()).to_vec());
    let one = answer(1)?;
    Ok(one.len() > 1 && answer(2).is_ok_and(|two| two == one))
}

impl Opened {
    /// Looks at an ONNX file: which input takes the image, which output answers.
    ///
    /// # Errors
    /// [`ModelError`] where there is not exactly one image input, or no output can be told to be the answer.
    pub fn onnx(file: OnnxFile, expected: Expected) -> Result<Self> {
        let mut notices = Vec::new();
        let wanted = Wanted {
            name: expected.output.as_deref(),
            columns: Some(expected.classes + expected.class_offset.unwrap_or(0)),
        };
        let output = choose_output(&file, wanted)?;
        let image = input::only_image(&file, &output.name)?;
        let input = Input::of(&image, &mut notices)?;
        let precision = precision(&file.stored_types());
        Ok(Self {
            kind: Kind::Onnx {
                file: Box::new(file),
                image,
                output,
            },
            expected,
            input,
            precision,
            notices,
        })
    }

    /// A network of the zoo with its weights. `stored_as` is how the file holds them, for example `float16`.
    pub fn network(
        network: Network,
        weights: Weights,
        stored_as: &str,
        notices: Vec<Notice>,
        expected: Expected,
    ) -> Result<Self> {
        let input = Input::of_network(&network)?;
        let precision = precision(&[stored_as.to_owned()]);
        Ok(Self {
            kind: Kind::Network { network, weights },
            expected,
            input,
            precision,
            notices,
        })
    }

    /// What the network takes, as far as it says.
    pub fn input(&self) -> ImageShape {
        self.input.shape
    }

    /// How many values it takes for each image, where it takes them in one row and says so.
    pub fn flat_length(&self) -> Option<usize> {
        self.input.flat_length()
    }

    /// Adds what was handled before the file was opened.
    pub fn notice(&mut self, notices: impl IntoIterator<Item = Notice>) {
        self.notices.extend(notices);
    }

    /// The network called `name`, for images of this size: what a profile is made of.
    ///
    /// # Errors
    /// [`ModelError`] where the network does not take such images, or the graph cannot be read.
    pub fn into_network(self, name: &str, size: [usize; 2], channels: usize) -> Result<Network> {
        let dims = self.input.dims(size, channels)?;
        Ok(self.kind.import(name, dims, &self.input)?.network)
    }

    /// Puts the network on `device`, tries it, and counts what it costs.
    ///
    /// `size` is the height and width of the images to come, `channels` how many they have: what the network says, or
    /// what the recipe says where the network leaves it open.
    ///
    /// # Errors
    /// [`ModelError`] where the network does not run on such images, or does not answer for the challenge's classes.
    pub fn prepare(self, size: [usize; 2], channels: usize, device: &Device) -> Result<Model> {
        let Self {
            kind,
            expected,
            input,
            precision,
            mut notices,
        } = self;
        let dims = input.dims(size, channels)?;
        let declared = kind.output().cloned();
        let one_image = kind.as_one_image();
        let Imported {
            network,
            weights,
            in_training_mode,
        } = kind.import("model", dims, &input)?;
        notices.extend(training_notice(&in_training_mode));
        if let Some(error) = one_image
            && input.may_lack_a_batch()
            && answers_once(&network)?
        {
            return Err(error);
        }
        let profile = network.profile()?;
        let (network, weights) = fuse(&network, &weights)?;
        let declared_batch = input.fixed_batch;
        let reading = output::reading(
            &network,
            declared.as_ref(),
            &expected,
            declared_batch,
            &mut notices,
        )?;
        let (executor, batching) =
            Batching::settle(&network, &weights, declared_batch, device, &mut notices)?;
        Ok(Model {
            executor,
            input,
            size,
            channels,
            reading,
            batching,
            profile,
            precision,
            notices,
        })
    }
}

impl Model {
    /// Height and width of the images that it takes.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many classes it answers for.
    pub fn classes(&self) -> usize {
        self.reading.classes()
    }

    /// Whether it takes pixels as they are, 0 to 255.
    pub fn takes_pixels(&self) -> bool {
        self.input.shape.raw
    }

    pub fn network(&self) -> &Network {
        self.executor.network()
    }

    /// What it costs, for one image.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The precision that it runs in, and the file's where that differs: `float32 (stored as float16)`.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// What was handled that the competitor may want to know.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Answers for a batch of any size.
    ///
    /// `images`: `[batch, channels, height, width]`, `f32`, or `u8` for a model that takes pixels.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] where a score is no number, [`ModelError::Network`] where the network fails.
    pub fn run(&self, images: &Tensor) -> Result<Answers> {
        let arranged = self.input.arrange(images)?;
        let outputs = self.batching.run(&self.executor, &arranged)?;
        self.reading
            .read(&outputs.to_device(&Device::Cpu)?, images.dim(0)?)
    }

    /// Float32 logits `[batch, columns]`, as the network gives them: before columns are left out.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let outputs = self
            .batching
            .run(&self.executor, &self.input.arrange(images)?)?;
        let batch = images.dim(0)?;
        Ok(outputs
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F32)?
            .reshape((batch, ()))?)
    }
}

/// What the run's precision is called, beside the file's own.
fn precision(stored_as: &[String]) -> String {
    match stored_as {
        [] => "float32".into(),
        [only] if only == "float32" => "float32".into(),
        several => format!("float32 (stored as {})", several.join("+")),
    }
}

fn training_notice(nodes: &BTreeSet<String>) -> Option<Notice> {
    let first = nodes.first()?;
    Some(Notice {
        code: "training_mode".into(),
        detail: format!(
            "{} of the file's nodes, {first} first, are in training mode; they are run in inference mode. Export after \
             model.eval() to be sure of what is run",
            nodes.len()
        ),
    })
}

use std::io;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use candle_core::{DType, Device, Tensor};
use referee_networks::images::Normalization;
use referee_networks::model::{Answers, Expected, Model, ModelError, Opened};
use referee_networks::onnx::{OnnxFile, SideFiles};
use referee_networks::weights::WeightsFile;
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{Network, mapped};
use referee_scoring::model_form::{
    Architecture, FIELDS, ImageInput, ModelForm, Preprocessing, Resize, Size,
    refuse_model_by_leading_bytes,
};
use referee_scoring::predictions::row_of_scores;
use referee_scoring::record::{EMPTY, Row};

use super::frames::Trouble;
use super::model::{Filters, Layer, Profile, Ready, Start};

/// Networks whose usual images have at most so many pixels a side take a challenge's as they are.
const SMALL: usize = 64;
/// Images that any network is tried on.
const FEW: usize = 8;

/// A model's files, mapped and not yet looked at.
pub(super) struct Files {
    model: Bytes,
    data: SideFiles,
}

impl Files {
    pub fn open(start: &Start) -> io::Result<Self> {
        let mut data = SideFiles::default();
        for (name, path) in &start.data {
            data.add(name, path).map_err(io::Error::other)?;
        }
        Ok(Self {
            model: mapped::open(&start.model)?,
            data,
        })
    }
}

/// A model that turns pixels into rows.
pub(super) struct Engine {
    model: Model,
    preprocessing: Preprocessing,
    normalization: Normalization,
}

impl Engine {
    /// Loads the model, tries it on noise, and describes it.
    ///
    /// # Errors
    /// The sentence with which it is refused.
    pub fn load(files: Files, start: &Start) -> Result<(Self, Ready), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        // Fails only where there is one already, which then has the threads that the worker said.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(start.limits.threads)
            .build_global();
        let device = device(&start.device).map_err(|error| said(&error))?;
        let (opened, form) = open(files, start)?;
        let shape = opened.input();
        let pixels = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let input = ImageInput {
            channels: shape.channels.map(pixels),
            size: shape.size.map(|[height, width]| Size {
                height: pixels(height),
                width: pixels(width),
            }),
            raw: shape.raw,
        };
        let recipe = form.preprocess.clone().unwrap_or_default();
        let preprocessing = recipe
            .resolve(input)
            .map_err(|error| format!("`preprocess`: {error}"))?;
        let size = size(&preprocessing, start).ok_or(
            "neither the network nor a recipe says how large its images are, and the challenge's are of several sizes: add preprocess={\"resize\":…,\"crop\":…}",
        )?;
        let model = opened
            .prepare(size, preprocessing.mean.len(), &device)
            .map_err(|error| said(&error))?;
        let mut engine = Self {
            model,
            normalization: Normalization::of(&preprocessing),
            preprocessing,
        };
        let batch = engine.batch(start.limits.memory);
        let images_per_second = engine.trial(batch).map_err(|error| said(&error))?;
        let ready = engine.describe(form, batch, images_per_second)?;
        Ok((engine, ready))
    }

    /// Rows for the pixels of `count` images, uint8 `[n,h,w,c]` in the network's own size; one channel stands for equal ones.
    pub fn rows(&mut self, pixels: &[u8], count: usize) -> Result<Vec<Row>, Trouble> {
        let answers = self
            .input(pixels, count)
            .and_then(|images| self.model.run(&images))
            .map_err(|error| match error {
                ModelError::NotFinite => Trouble::NotFinite,
                error => {
                    eprintln!("{error}");
                    Trouble::Failed
                }
            })?;
        match answers {
            Answers::Scores { classes, scores } => scores
                .chunks_exact(classes)
                .map(|scores| row_of_scores(scores).map_err(|_| Trouble::NotFinite))
                .collect(),
            Answers::Ranked(ranked) => Ok(ranked.iter().map(|classes| row_of(classes)).collect()),
        }
    }

    /// `[n,c,h,w]`: `x = (pixel · scale − mean) / std`, or pixels where the network takes those.
    fn input(&self, pixels: &[u8], count: usize) -> Result<Tensor, ModelError> {
        let [height, width] = self.model.size();
        let channels = pixels.len() / (count * height * width).max(1);
        let fits = pixels.len() == count * height * width * channels
            && (channels == 1 || channels == self.model.channels());
        if !fits {
            let found = format!(
                "{} bytes are no {count} images of {height} × {width}",
                pixels.len()
            );
            return Err(candle_core::Error::Msg(found).into());
        }
        let normalized = self.normalization.apply(pixels, height * width, channels);
        let shape = (count, self.model.channels(), height, width);
        let images = Tensor::from_vec(normalized, shape, &Device::Cpu)?;
        if self.model.takes_pixels() {
            return Ok(images.to_dtype(DType::U8)?);
        }
        Ok(images)
    }

    /// As many images at a time as keep the largest layer in a hundredth of the memory, from 1 to 256.
    fn batch(&self, memory: u64) -> usize {
        let layers = &self.model.profile().layers;
        let largest = layers
            .iter()
            .map(|layer| layer.output_shape.iter().product::<usize>());
        let largest = 4 * largest.max().unwrap_or(1).max(1) as u64;
        usize::try_from((memory / 100 / largest).clamp(1, 256)).unwrap_or(1)
    }

    /// Runs noise: what fails here is said in words. Returns images per second, measured on a whole batch where that takes
    /// no noticeable time, else on a few images, so that a worker who comes to help is soon ready.
    fn trial(&mut self, batch: usize) -> Result<f64, ModelError> {
        let few = batch.min(FEW);
        let speed = self.speed(few)?;
        let whole_batch = f64::from(u32::try_from(batch).unwrap_or(u32::MAX)) / speed;
        if few < batch && whole_batch < 0.2 {
            return self.speed(batch);
        }
        Ok(speed)
    }

    /// Images per second on noise.
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    fn speed(&mut self, batch: usize) -> Result<f64, ModelError> {
        let [height, width] = self.model.size();
        let bytes = batch * height * width * self.model.channels();
        let noise: Vec<u8> = (0..=250).cycle().step_by(167).take(bytes).collect();
        let images = self.input(&noise, batch)?;
        let start = Instant::now();
        self.model.run(&images)?;
        Ok(batch as f64 / start.elapsed().as_secs_f64().max(1e-9))
    }

    fn describe(
        &self,
        form: ModelForm,
        batch: usize,
        images_per_second: f64,
    ) -> Result<Ready, String> {
        let profile = self.model.profile();
        let architecture = form.architecture.as_ref().map(ToString::to_string);
        Ok(Ready {
            profile: Profile {
                architecture,
                parameters: profile.parameters,
                macs: profile.macs,
                depth: u32::try_from(profile.depth).unwrap_or(u32::MAX),
                precision: self.model.precision().to_owned(),
                folded: profile.folded,
            },
            notices: self.model.notices().to_vec(),
            preprocess: serde_json::to_value(&self.preprocessing)
                .map_err(|error| error.to_string())?,
            layers: profile
                .layers
                .iter()
                .map(|layer| Layer {
                    name: layer.name.clone(),
                    op: layer.op.to_owned(),
                    output_shape: layer.output_shape.iter().skip(1).copied().collect(),
                    parameters: layer.parameters,
                    macs: layer.macs,
                })
                .collect(),
            filters: filters(&self.model),
            form,
            batch,
            images_per_second,
        })
    }
}

fn device(name: &str) -> candle_core::Result<Device> {
    match name
        .strip_prefix("cuda:")
        .and_then(|number| number.parse().ok())
    {
        Some(number) => Device::new_cuda(number),
        None => Ok(Device::Cpu),
    }
}

/// The file as far as it says by itself what it is, and the form with what the file's metadata adds to it.
fn open(files: Files, start: &Start) -> Result<(Opened, ModelForm), String> {
    let head = &files.model[..files.model.len().min(1024)];
    if let Some(remedy) = refuse_model_by_leading_bytes(head, Some(&start.filename)) {
        return Err(remedy);
    }
    if matches!(head, [_, _, _, _, _, 0, 0, 0, b'{', ..]) {
        open_safetensors(&files.model, start)
    } else {
        open_onnx(files, start)
    }
}

fn open_onnx(files: Files, start: &Start) -> Result<(Opened, ModelForm), String> {
    let file = OnnxFile::decode(files.model, files.data).map_err(|error| error.to_string())?;
    let form = with_metadata(&start.form, |name| {
        let found = file.metadata().find(|(key, _)| *key == name);
        found.map(|(_, text)| text)
    })?;
    let opened = Opened::onnx(file, expected(&form, start)).map_err(|error| error.to_string())?;
    Ok((opened, form))
}

fn open_safetensors(file: &Bytes, start: &Start) -> Result<(Opened, ModelForm), String> {
    let file = WeightsFile::read(file).map_err(|error| error.to_string())?;
    let form = with_metadata(&start.form, |name| {
        file.metadata().get(name).map(String::as_str)
    })?;
    let Some(architecture) = &form.architecture else {
        return Err("safetensors holds tensors only: say which network they belong to, with architecture=resnet50 for example, or in the file's metadata".into());
    };
    let network = network(architecture, &file, &form, start)?;
    let loaded = file
        .load(&network, start.classes, &Device::Cpu)
        .map_err(|error| error.to_string())?;
    let opened = Opened::network(
        network,
        loaded.weights,
        &loaded.stored_as,
        loaded.notices,
        expected(&form, start),
    );
    Ok((opened.map_err(|error| error.to_string())?, form))
}

fn expected(form: &ModelForm, start: &Start) -> Expected {
    Expected {
        classes: start.classes,
        class_offset: form.class_offset.map(|offset| offset as usize),
        output: form.output.clone(),
    }
}

fn with_metadata<'f>(
    form: &ModelForm,
    metadata: impl Fn(&str) -> Option<&'f str>,
) -> Result<ModelForm, String> {
    let mut said = ModelForm::default();
    for field in FIELDS {
        if let Some(text) = metadata(field) {
            said.set(field, text)
                .map_err(|error| format!("in the file's metadata, {error}"))?;
        }
    }
    Ok(form.clone().or(said))
}

/// The network of an architecture, for images as the recipe or the challenge has them or as is usual: the first of the likely inputs
/// that the tensors fit, or if none does, the likeliest.
fn network(
    architecture: &Architecture,
    file: &WeightsFile,
    form: &ModelForm,
    start: &Start,
) -> Result<Network, String> {
    let columns = start.classes + form.class_offset.unwrap_or_default() as usize;
    let candidates = inputs(architecture, file, form, start);
    let build = |input: &[usize; 3]| {
        let options = ZooOptions {
            num_classes: columns,
            input: *input,
        };
        zoo::build(architecture, &options).map_err(|error| error.to_string())
    };
    let fitting = candidates.iter().find_map(|input| {
        let network = build(input).ok()?;
        file.misfit(&network).is_none().then_some(network)
    });
    match (fitting, candidates.first()) {
        (Some(network), _) => Ok(network),
        (None, Some(likeliest)) => build(likeliest),
        (None, None) => {
            Err("say how large the network's images are: add preprocess={\"crop\":…}".into())
        }
    }
}

/// The likely `[channels, height, width]` of a network's images, the likeliest first: as the recipe says; else, for networks of
/// small images, as the challenge has them; else as is usual.
fn inputs(
    architecture: &Architecture,
    file: &WeightsFile,
    form: &ModelForm,
    start: &Start,
) -> Vec<[usize; 3]> {
    let [_, height, width] = zoo::usual_options(architecture).input;
    let usual = [height, width];
    let recipe = form.preprocess.clone().unwrap_or_default();
    let own = start.image.map(|[height, width, _]| [height, width]);
    let sizes = match (recipe.crop, recipe.resize) {
        (Some(size), _) | (None, Some(Resize::Exact(size))) => {
            vec![[size.height as usize, size.width as usize]]
        }
        _ if height.max(width) <= SMALL => own.into_iter().chain([usual]).collect(),
        _ => vec![usual],
    };
    let of_file = file
        .options(architecture)
        .ok()
        .map(|options| options.input[0]);
    let of_images = start.image.map(|[.., channels]| channels);
    let mut channels: Vec<usize> = of_file.into_iter().chain(of_images).chain([3, 1]).collect();
    channels.dedup();
    let of_size = |[height, width]: &[usize; 2]| {
        let (height, width) = (*height, *width);
        channels
            .iter()
            .map(move |channels| [*channels, height, width])
    };
    sizes.iter().flat_map(of_size).collect()
}

/// Height and width of what the network gets.
fn size(preprocessing: &Preprocessing, start: &Start) -> Option<[usize; 2]> {
    match (preprocessing.crop, preprocessing.resize) {
        (Some(size), _) | (None, Some(Resize::Exact(size))) => {
            Some([size.height as usize, size.width as usize])
        }
        (None, None) => start.image.map(|[height, width, _]| [height, width]),
        (None, Some(Resize::ShortSide(_))) => None,
    }
}

/// A ranked list as a row: a model's guesses are distinct unless its network repeats one, of which the first counts.
fn row_of(classes: &[usize]) -> Row {
    let mut row = EMPTY;
    let mut guesses = 0;
    for class in classes {
        let class = i32::try_from(*class).unwrap_or(-1);
        if guesses < 5 && !row[1..=guesses].contains(&class) {
            guesses += 1;
            row[guesses] = class;
        }
    }
    row[0] = row[1];
    row
}

/// The filters of a first layer that is a convolution over one or three channels.
fn filters(model: &Model) -> Option<Filters> {
    let (shape, data) = model.first_filters()?;
    Some(Filters {
        shape,
        data: STANDARD.encode(data),
    })
}

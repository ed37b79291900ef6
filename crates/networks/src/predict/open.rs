//! A model file becomes what it says it is, with the help of its form.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use candle_core::Device;
use referee_scoring::model_form::{
    Architecture, FIELDS, ModelForm, Resize, refuse_model_by_leading_bytes,
};
use referee_scoring::{Notice, Over};

use super::error::PredictError;
use crate::Network;
use crate::mapped;
use crate::model::{Expected, Opened, Wanted, choose_output, output_columns};
use crate::onnx::{OnnxFile, SideFiles};
use crate::weights::WeightsFile;
use crate::zoo::{self, ZooOptions};

/// A model's bytes, mapped and not yet looked at.
pub struct ModelFile {
    /// As it was uploaded or lies there: its extension tells formats apart that their first bytes do not.
    pub filename: String,
    pub model: Bytes,
    /// ONNX's external data.
    pub data: SideFiles,
}

impl ModelFile {
    /// Maps a model that was uploaded as `filename`, and its side files: the names that it knows them by, and their paths.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn open(
        filename: &str,
        model: &Path,
        data: &[(String, PathBuf)],
    ) -> Result<Self, PredictError> {
        let mut file = Self {
            filename: filename.to_owned(),
            model: mapped::open(model).map_err(|source| PredictError::File {
                path: model.to_owned(),
                source,
            })?,
            data: SideFiles::default(),
        };
        for (name, path) in data {
            file.data.add(name, path)?;
        }
        Ok(file)
    }

    /// Maps a model, and the data that lies beside it where it is ONNX.
    ///
    /// # Errors
    /// A file cannot be read, or is no model.
    pub fn beside(path: &Path) -> Result<Self, PredictError> {
        let filename = path.file_name().unwrap_or_default().to_string_lossy();
        let mut file = Self::open(&filename, path, &[])?;
        file.refuse()?;
        if !file.is_safetensors() {
            let onnx = OnnxFile::decode(file.model.clone(), SideFiles::default())?;
            for (name, beside) in onnx.beside(path)? {
                file.data.add(&name, &beside)?;
            }
        }
        Ok(file)
    }

    /// Says of pickles, archives and the like what to do instead.
    fn refuse(&self) -> Result<(), PredictError> {
        let head = &self.model[..self.model.len().min(1024)];
        match refuse_model_by_leading_bytes(head, Some(&self.filename)) {
            Some(remedy) => Err(PredictError::NoModel(remedy)),
            None => Ok(()),
        }
    }

    /// By its content; else it is ONNX, or nothing that is known.
    pub fn is_safetensors(&self) -> bool {
        matches!(*self.model, [_, _, _, _, _, 0, 0, 0, b'{', ..])
    }
}

/// What is known of the challenge.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The number of classes; none where any number will do.
    pub classes: Option<usize>,
    /// `[height, width, channels]`, where all test images have the same.
    pub image: Option<[usize; 3]>,
}

/// Reads a model, safetensors or ONNX by its first bytes, and adds to the form what the file's metadata says.
///
/// # Errors
/// Why it is refused; what that says depends on the file, the form and the task only.
pub fn open(
    file: ModelFile,
    form: &ModelForm,
    task: Task,
) -> Result<(Opened, ModelForm), PredictError> {
    open_within(file, form, task, None)
}

/// The same for a challenge with `own` classes, which are some of the task's: the model's columns are the task's classes, or as the
/// form says and where they are as many, the challenge's own.
///
/// # Errors
/// As [`open`].
pub fn open_within(
    file: ModelFile,
    form: &ModelForm,
    task: Task,
    own: Option<usize>,
) -> Result<(Opened, ModelForm), PredictError> {
    file.refuse()?;
    if file.is_safetensors() {
        let file = WeightsFile::read(&file.model)?;
        let said = Said::by(form, |name| file.metadata().get(name).map(String::as_str))?;
        let head = || {
            let architecture = said.form.architecture.as_ref()?;
            Some(file.options(architecture).ok()?.num_classes)
        };
        let task = among(task, own, &said.form, head);
        let mut opened = safetensors(&file, &said.form, task)?;
        opened.notice(said.notices);
        Ok((opened, said.form))
    } else {
        let file = OnnxFile::decode(file.model, file.data)?;
        let outputs = file.output_names();
        let said = Said::by(form, |name| {
            let mut metadata = file.metadata();
            let (_, text) = metadata.find(|(key, _)| *key == name)?;
            match name {
                // The file says itself which network it is; and others call other things an output.
                "architecture" => None,
                "output" => Some(text).filter(|text| outputs.iter().any(|output| output == text)),
                _ => Some(text),
            }
        })?;
        let mut form = said.form;
        let head = || columns(&file, &form).ok().map(|(_, columns)| columns);
        let task = among(task, own, &form, head);
        let classes = if let Some(classes) = task.classes {
            classes
        } else {
            let (output, columns) = columns(&file, &form)?;
            form.output = Some(output);
            columns.saturating_sub(offset(&form))
        };
        let mut opened = Opened::onnx(file, expected(&form, classes))?;
        opened.notice(said.notices);
        Ok((opened, form))
    }
}

/// The task with the number of classes that the model's columns are; `head` is how many columns there are.
fn among(
    task: Task,
    own: Option<usize>,
    form: &ModelForm,
    head: impl FnOnce() -> Option<usize>,
) -> Task {
    let is_own =
        |own: &usize| form.classes == Some(Over::Challenge) || head() == Some(own + offset(form));
    Task {
        classes: own.filter(is_own).or(task.classes),
        ..task
    }
}

/// A form with what the file's metadata adds to it.
struct Said {
    form: ModelForm,
    notices: Vec<Notice>,
}

impl Said {
    /// What the form says counts. Others use the same keys for other things: a preprocessing that is no recipe, but a word or two, is
    /// left alone, and named.
    fn by<'f>(
        form: &ModelForm,
        metadata: impl Fn(&str) -> Option<&'f str>,
    ) -> Result<Self, PredictError> {
        let mut said = ModelForm::default();
        let mut notices = Vec::new();
        for field in FIELDS {
            let Some(text) = metadata(field) else {
                continue;
            };
            let Err(error) = said.set(field, text) else {
                continue;
            };
            let is_foreign = field == "preprocess" && !text.trim_start().starts_with('{');
            if !is_foreign && !says(form, field) {
                return Err(PredictError::Metadata(error));
            }
            notices.push(Notice {
                code: "metadata_ignored".into(),
                detail: format!(
                    "the file's metadata is left alone where it is not the referee's: {error}"
                ),
            });
        }
        Ok(Self {
            form: form.clone().or(said),
            notices,
        })
    }
}

fn says(form: &ModelForm, field: &str) -> bool {
    match field {
        "architecture" => form.architecture.is_some(),
        "preprocess" => form.preprocess.is_some(),
        "class_order" => form.class_order.is_some(),
        "class_offset" => form.class_offset.is_some(),
        _ => form.output.is_some(),
    }
}

fn offset(form: &ModelForm) -> usize {
    form.class_offset.unwrap_or_default() as usize
}

fn expected(form: &ModelForm, classes: usize) -> Expected {
    Expected {
        classes,
        class_offset: form.class_offset.map(|offset| offset as usize),
        output: form.output.clone(),
    }
}

fn safetensors(file: &WeightsFile, form: &ModelForm, task: Task) -> Result<Opened, PredictError> {
    let architecture = form
        .architecture
        .as_ref()
        .ok_or_else(|| PredictError::NoArchitecture {
            likely: file.architecture(),
        })?;
    let own = file.options(architecture)?;
    let columns = task
        .classes
        .map_or(own.num_classes, |classes| classes + offset(form));
    let classes = columns.saturating_sub(offset(form));
    let candidates = inputs(architecture, own.input[0], form, task);
    let network = network(architecture, columns, file, &candidates)?;
    let loaded = file.load(&network, classes, &Device::Cpu)?;
    Ok(Opened::network(
        network,
        loaded.weights,
        &loaded.stored_as,
        loaded.notices,
        expected(form, classes),
    )?)
}

/// The network of an architecture for the first of the likely inputs that the tensors fit, or if none does, for the likeliest.
fn network(
    architecture: &Architecture,
    columns: usize,
    file: &WeightsFile,
    inputs: &[[usize; 3]],
) -> Result<Network, PredictError> {
    let build = |input: [usize; 3]| {
        let options = ZooOptions {
            num_classes: columns,
            input,
        };
        zoo::build(architecture, &options)
    };
    let fitting = inputs.iter().find_map(|input| {
        let network = build(*input).ok()?;
        file.misfit(&network).is_none().then_some(network)
    });
    match fitting {
        Some(network) => Ok(network),
        None => Ok(build(inputs[0])?),
    }
}

/// The likely `[channels, height, width]` of a network's images, the likeliest first; at least one. The channels are the file's
/// where its tensors show them (`file_channels`), the size is the recipe's, the images' or the usual one.
fn inputs(
    architecture: &Architecture,
    file_channels: usize,
    form: &ModelForm,
    task: Task,
) -> Vec<[usize; 3]> {
    let [usual_channels, usual_height, usual_width] = zoo::usual_options(architecture).input;
    let recipe = form.preprocess.clone().unwrap_or_default();
    let said = match (recipe.crop, recipe.resize) {
        (Some(size), _) | (None, Some(Resize::Exact(size))) => {
            Some([size.height as usize, size.width as usize])
        }
        _ => None,
    };
    let usual = [usual_height, usual_width];
    let own = task.image.map(|[height, width, _]| [height, width]);
    let sizes = match (said, own) {
        (Some(said), _) => vec![said],
        // What was made for small images takes them as they are; what was made for ImageNet has them resized.
        (None, Some(own)) if usual_height < 224 => vec![own, usual],
        (None, Some(own)) => vec![usual, own],
        (None, None) => vec![usual],
    };
    let of_images = task.image.map(|[.., channels]| channels);
    let mut channels = vec![file_channels];
    for likely in of_images.into_iter().chain([usual_channels, 3, 1]) {
        if !channels.contains(&likely) {
            channels.push(likely);
        }
    }
    sizes
        .iter()
        .flat_map(|[height, width]| channels.iter().map(|channels| [*channels, *height, *width]))
        .collect()
}

/// The output that answers, and its columns.
fn columns(file: &OnnxFile, form: &ModelForm) -> Result<(String, usize), PredictError> {
    let wanted = Wanted {
        name: form.output.as_deref(),
        columns: None,
    };
    let chosen = choose_output(file, wanted)?;
    if !chosen.element.is_float() {
        return Err(PredictError::NoClasses(
            "ranks classes and does not say how many there are",
        ));
    }
    // One dimension is refused later, with what mends it.
    let columns = match chosen.dims.as_deref() {
        Some([only]) => *only,
        _ => output_columns(file, &chosen),
    };
    let unknown = PredictError::NoClasses("does not say how many columns its output has");
    Ok((chosen.name, columns.ok_or(unknown)?))
}

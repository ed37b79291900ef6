use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use candle_core::Device;
use referee_networks::model::{Model, ModelError};
use referee_networks::predict::{self, ModelFile, PredictError, Predictor, Task};
use referee_scoring::model_form::{ModelForm, Recipe};
use referee_scoring::record::Row;

use super::frames::{Trouble, images_in_a_frame};
use super::model::{Filters, Layer, Profile, Ready, Start, resolved};

/// Images that any network is tried on.
const FEW: usize = 8;

/// A model that turns pixels into rows, as `referee predict` has it: [`predict`] with a trial before and few words after.
pub(super) struct Engine {
    predictor: Predictor,
}

impl Engine {
    /// Loads the model onto `device`, tries it on noise, and describes it.
    ///
    /// # Errors
    /// The sentence with which it is refused.
    pub fn load(file: ModelFile, start: &Start, device: &Device) -> Result<(Self, Ready), String> {
        // Fails only where there is one already, which then has the threads that the worker said.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(start.limits.threads)
            .build_global();
        let (engine, form) = Self::open(file, start, device).map_err(|error| error.to_string())?;
        let batch = engine.predictor.batch(start.limits.memory);
        let batch = batch.min(images_in_a_frame(engine.image_bytes()));
        let images_per_second = engine.trial(batch).map_err(|error| error.to_string())?;
        let ready = engine.describe(form, batch, images_per_second);
        Ok((engine, ready.map_err(|error| error.to_string())?))
    }

    fn open(
        file: ModelFile,
        start: &Start,
        device: &Device,
    ) -> Result<(Self, ModelForm), PredictError> {
        let task = Task {
            classes: Some(start.classes),
            image: start.image,
        };
        let (opened, form) = predict::open_within(file, &start.form, task, start.own_classes)?;
        let predictor = Predictor::new(opened, &form, task, device)?;
        Ok((Self { predictor }, form))
    }

    /// Compares only these columns, uint32 little-endian, from now on.
    pub fn keep(&mut self, columns: &[u8]) -> Result<(), PredictError> {
        let (columns, _) = columns.as_chunks();
        let columns = columns
            .iter()
            .map(|column| u32::from_le_bytes(*column) as usize);
        self.predictor.keep(columns.collect())
    }

    /// Rows for the pixels of `count` images, uint8 `[n,h,w,c]` in the network's own size; one channel stands for equal ones.
    pub fn rows(&self, pixels: &[u8], count: usize) -> Result<Vec<Row>, Trouble> {
        self.predictor.rows(pixels, count).map_err(trouble)
    }

    /// The same with the values of pixels by another recipe.
    pub fn rows_by(
        &self,
        recipe: &Recipe,
        pixels: &[u8],
        count: usize,
    ) -> Result<Vec<Row>, Trouble> {
        let recipe = resolved(recipe).map_err(|error| {
            eprintln!("{error}");
            Trouble::Failed
        })?;
        let rows = self.predictor.rows_by(&recipe, pixels, count);
        rows.map_err(trouble)
    }

    /// Runs noise: what fails here is said in words. Returns images per second, measured on a whole batch where that takes
    /// no noticeable time, else on a few images, so that a worker who comes to help is soon ready.
    fn trial(&self, batch: usize) -> Result<f64, ModelError> {
        let few = batch.min(FEW);
        let speed = self.speed(few)?;
        let whole_batch = f64::from(u32::try_from(batch).unwrap_or(u32::MAX)) / speed;
        if few < batch && whole_batch < 0.2 {
            return self.speed(batch);
        }
        Ok(speed)
    }

    /// The pixels of one image.
    fn image_bytes(&self) -> usize {
        let model = self.predictor.model();
        let [height, width] = model.size();
        height * width * model.channels()
    }

    /// Images per second on noise.
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    fn speed(&self, batch: usize) -> Result<f64, ModelError> {
        let bytes = batch * self.image_bytes();
        let noise: Vec<u8> = (0..=250).cycle().step_by(167).take(bytes).collect();
        let start = Instant::now();
        self.predictor.rows(&noise, batch)?;
        Ok(batch as f64 / start.elapsed().as_secs_f64().max(1e-9))
    }

    fn describe(
        &self,
        form: ModelForm,
        batch: usize,
        images_per_second: f64,
    ) -> Result<Ready, serde_json::Error> {
        let model = self.predictor.model();
        let profile = model.profile();
        let architecture = form.architecture.as_ref().map(ToString::to_string);
        Ok(Ready {
            profile: Profile {
                architecture,
                parameters: profile.parameters,
                macs: profile.macs,
                depth: u32::try_from(profile.depth).unwrap_or(u32::MAX),
                precision: model.precision().to_owned(),
                folded: profile.folded,
            },
            notices: self.predictor.notices(),
            preprocess: serde_json::to_value(self.predictor.preprocessing())?,
            takes_pixels: model.takes_pixels(),
            classes: model.classes(),
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
            filters: filters(model),
            form,
            batch,
            images_per_second,
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "goes into `map_err`")]
fn trouble(error: ModelError) -> Trouble {
    if let ModelError::NotFinite = error {
        return Trouble::NotFinite;
    }
    eprintln!("{error}");
    Trouble::Failed
}

/// The filters of a first layer that is a convolution over one or three channels.
fn filters(model: &Model) -> Option<Filters> {
    let (shape, data) = model.first_filters()?;
    Some(Filters {
        shape,
        data: STANDARD.encode(data),
    })
}

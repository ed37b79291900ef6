use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;
use referee_networks::DeviceChoice;
use referee_networks::images::{DecodedOnDemand, Geometry, Pixels as _, TestSet};
use referee_networks::predict::{self, ModelFile, Predictor, Task};
use referee_scoring::model_form::{ClassOrder, ModelForm};
use referee_scoring::record::Row;
use referee_scoring::{Class, ClassList, npy};

use crate::{input, output, progress};

/// Run a model over test images as the server would: its predictions, ready to be scored or submitted
///
/// Writes the canonical record, int32 [N,6], or with --logits float32 [N,C]. Images are uint8 .npy [N,H,W] or [N,H,W,C], or a .tar of
/// JPEG and PNG files, in byte order of the names.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee predict model.onnx test-images.npy -o predictions.npy\n  \
                  referee predict resnet50.safetensors val.tar -o predictions.npy --architecture resnet50 \\\n    \
                  --preprocess torchvision:ResNet50_Weights.IMAGENET1K_V2 --classes classes.txt --class-order wnid\n  \
                  referee score --labels labels.csv predictions.npy"
)]
pub struct Predict {
    /// A .safetensors or .onnx file
    model: PathBuf,
    /// Test images: .npy or .tar
    images: PathBuf,
    /// Where the predictions go
    #[arg(short, long, value_name = "OUT.npy")]
    out: PathBuf,
    /// The network that a .safetensors file is of, such as resnet50 or mlp(512,256) [default: what the file says]
    #[arg(long, value_name = "A")]
    architecture: Option<String>,
    /// How images become the network's input: JSON, a file with it (timm's and Hugging Face's too), or a name such as
    /// torchvision:ResNet50_Weights.IMAGENET1K_V2 [default: what the file says, or as the network's input needs]
    #[arg(long, value_name = "JSON|FILE|NAME")]
    preprocess: Option<String>,
    /// The challenge's classes, one a line
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Which class each column of the model is: challenge, wnid, or a file with a class a line
    #[arg(long, value_name = "ORDER", requires = "classes")]
    class_order: Option<String>,
    /// How many of the first columns are no classes (TensorFlow's background is 1)
    #[arg(long, value_name = "N")]
    class_offset: Option<String>,
    /// The ONNX output that holds the logits, where there are several
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Write float32 logits [N,C], a column for each of the model's, instead of the record
    #[arg(long)]
    logits: bool,
    /// Images at a time [default: by the size of the network]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// What the model runs on: auto, cpu, cuda or cuda:N
    #[arg(long, env = "REFEREE_DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What a run without `--batch` may take for the activations of a batch, a hundredfold.
const MEMORY: u64 = 2 << 30;

impl Predict {
    pub async fn run(self) -> anyhow::Result<()> {
        tokio::task::spawn_blocking(move || self.predict()).await?
    }

    fn predict(&self) -> anyhow::Result<()> {
        if let Some(threads) = self.threads {
            ensure!(threads > 0, "--threads is at least 1");
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()?;
        }
        for read in [&self.model, &self.images] {
            ensure!(
                !is_same_file(read, &self.out),
                "{} is read by this run, and would be overwritten: give --out another name",
                self.out.display()
            );
        }
        input::refuse_directory(&self.model)?;
        let set = TestSet::open(&self.images)?;
        let classes = self.class_list()?;
        let task = Task {
            classes: classes.as_ref().map(ClassList::len),
            image: set
                .uniform()
                .map(|(size, channels)| [size.height as usize, size.width as usize, channels]),
        };
        let spinner = progress::spinner("loading the model");
        let (opened, form) = predict::open(self.file()?, &self.form()?, task)
            .with_context(|| format!("{} cannot be run", self.model.display()))?;
        let predictor = Predictor::new(opened, &form, task, &self.device.open()?)
            .with_context(|| format!("{} cannot be run", self.model.display()))?;
        spinner.finish_and_clear();
        for notice in predictor.notices() {
            eprintln!("notice: {}", notice.detail);
        }
        let columns = columns(&form, classes.as_ref())?;
        let geometry = Geometry::of(predictor.preprocessing());
        let pixels = DecodedOnDemand::new(&set, geometry)?;
        let images = pixels.shape()[0];
        let batch = self.batch.unwrap_or_else(|| predictor.batch(MEMORY));
        let columns = columns.as_deref();
        let mut npy = NpyRows::create(&self.out, images)?;
        if self.logits {
            predictor.run_logits(&pixels, 0..images, batch, |done| {
                let logits = in_class_order(done.answers, columns);
                npy.write(done.images, ("<f4", f32::to_le_bytes), &logits)
            })?;
        } else {
            predictor.run(&pixels, 0..images, batch, |done| {
                let classes = classes_of(done.answers, columns);
                npy.write(done.images, ("<i4", i32::to_le_bytes), &classes)
            })?;
        }
        let speed = npy.finish()?;
        output::print_line(&format!(
            "{images} images, {} a second: {}",
            output::speed(speed),
            self.out.display()
        ))
    }

    fn file(&self) -> anyhow::Result<ModelFile> {
        ModelFile::beside(&self.model)
            .with_context(|| format!("{} cannot be run", self.model.display()))
    }

    fn class_list(&self) -> anyhow::Result<Option<ClassList>> {
        let Some(path) = &self.classes else {
            return Ok(None);
        };
        let classes = ClassList::parse(&read(path)?)
            .with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(Some(classes))
    }

    fn form(&self) -> anyhow::Result<ModelForm> {
        let mut form = ModelForm::default();
        for (field, text) in [
            ("architecture", self.architecture.clone()),
            (
                "preprocess",
                self.preprocess.as_deref().map(text_or_file).transpose()?,
            ),
            (
                "class_order",
                self.class_order.as_deref().map(text_or_file).transpose()?,
            ),
            ("class_offset", self.class_offset.clone()),
            ("output", self.output.clone()),
        ] {
            form.set(field, text.as_deref().unwrap_or_default())?;
        }
        Ok(form)
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize()
        .is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// The class of each of the model's columns, where a class list is given.
fn columns(form: &ModelForm, classes: Option<&ClassList>) -> anyhow::Result<Option<Vec<Class>>> {
    match (&form.class_order, classes) {
        (None | Some(ClassOrder::Challenge), _) => Ok(None),
        (Some(order), Some(classes)) => Ok(Some(order.columns(classes)?)),
        (Some(_), None) => bail!(
            "the file's metadata say class_order: give --classes FILE, the challenge's class list"
        ),
    }
}

/// The rows of a record, with the classes that the columns are.
fn classes_of(rows: Vec<Row>, columns: Option<&[Class]>) -> Vec<i32> {
    let mut classes = rows.into_flattened();
    if let Some(columns) = columns {
        for class in &mut classes {
            if let Ok(column) = usize::try_from(*class) {
                *class = i32::from(columns[column].0);
            }
        }
    }
    classes
}

/// The logits of one image after the other, each in the order of the classes.
fn in_class_order(logits: Vec<f32>, columns: Option<&[Class]>) -> Vec<f32> {
    let Some(columns) = columns else {
        return logits;
    };
    let mut ordered = vec![0.0; logits.len()];
    let rows = ordered.chunks_exact_mut(columns.len());
    for (row, scores) in rows.zip(logits.chunks_exact(columns.len())) {
        for (class, &score) in columns.iter().zip(scores) {
            row[usize::from(class.0)] = score;
        }
    }
    ordered
}

/// An NPY file of a row for each image, written batch by batch under a bar.
struct NpyRows<'p> {
    path: &'p Path,
    file: BufWriter<File>,
    images: usize,
    bar: ProgressBar,
    written: io::Result<()>,
}

impl<'p> NpyRows<'p> {
    fn create(path: &'p Path, images: usize) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            images,
            bar: progress::images(images),
            written: Ok(()),
        })
    }

    /// The rows of the next images; those of the first say how long a row is. Breaks where the file cannot be written.
    fn write<T: Copy>(
        &mut self,
        images: Range<usize>,
        (dtype, bytes_of): (&str, fn(T) -> [u8; 4]),
        values: &[T],
    ) -> ControlFlow<()> {
        let mut bytes = match images.start {
            0 => npy::header(dtype, &[self.images, values.len() / images.len()]),
            _ => Vec::new(),
        };
        bytes.extend(values.iter().copied().flat_map(bytes_of));
        self.written = self.file.write_all(&bytes);
        self.bar.set_position(images.end as u64);
        match self.written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Images a second.
    #[expect(clippy::cast_precision_loss, reason = "test sets are far below 2^53")]
    fn finish(mut self) -> anyhow::Result<f64> {
        let speed = self.bar.position() as f64 / self.bar.elapsed().as_secs_f64().max(1e-9);
        self.bar.finish_and_clear();
        self.written
            .and_then(|()| self.file.flush())
            .with_context(|| format!("{} cannot be written", self.path.display()))?;
        Ok(speed)
    }
}

/// What an argument says, or the file that it names.
fn text_or_file(argument: &str) -> anyhow::Result<String> {
    let path = Path::new(argument);
    if !argument.trim_start().starts_with('{') && path.is_file() {
        return read(path);
    }
    Ok(argument.to_owned())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

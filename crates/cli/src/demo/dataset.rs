//! Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) as an organizer would hold it: 60,000 training and 10,000 test
//! images of ten kinds of clothing, read from the original IDX files and written as a challenge directory.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use referee_scoring::{Class, ClassList, ImageList, Labels, npy};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";

/// The environment variable that names another directory with the same four files, gzipped or not.
const VARIABLE: &str = "REFEREE_FASHION_MNIST";

/// Line i is class i, in the words of the data set's own README.
pub const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Which of the data set's two halves; the names are those of its files.
#[derive(Clone, Copy)]
pub enum Half {
    Training,
    Test,
}

impl Half {
    fn file_prefix(self) -> &'static str {
        match self {
            Self::Training => "train",
            Self::Test => "t10k",
        }
    }
}

/// The directory with the four IDX files.
pub struct FashionMnist {
    directory: PathBuf,
}

impl FashionMnist {
    /// The directory that `REFEREE_FASHION_MNIST` names, or else Debian's.
    pub fn locate() -> Result<Self> {
        let directory = env::var_os(VARIABLE).map_or_else(|| DEBIAN.into(), PathBuf::from);
        ensure!(
            directory.is_dir(),
            "Fashion-MNIST is not in {}: install Debian's package dataset-fashion-mnist, or set {VARIABLE} to the \
             directory that holds its four files (train-images-idx3-ubyte.gz and so on)",
            directory.display()
        );
        Ok(Self { directory })
    }

    /// The images of `half` as `[N, 28, 28]`, one byte a pixel, 0 = background.
    pub fn images(&self, half: Half) -> Result<Idx> {
        self.read(&format!("{}-images-idx3-ubyte", half.file_prefix()), 3)
    }

    /// The labels of `half` as `[N]`: class indices from 0.
    pub fn labels(&self, half: Half) -> Result<Idx> {
        self.read(&format!("{}-labels-idx1-ubyte", half.file_prefix()), 1)
    }

    /// Write the challenge's files into `directory`, replacing what an earlier run left there.
    pub fn write_challenge(&self, directory: &Path) -> Result<()> {
        // Its owner only: the test labels are among the files.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
        };
        for (half, name) in [(Half::Training, "train"), (Half::Test, "test")] {
            let images = self.images(half)?;
            file(
                &format!("{name}-images.npy"),
                &[npy::header("|u1", &images.shape), images.bytes].concat(),
            )?;
            file(
                &format!("{name}-labels.csv"),
                &labels_csv(&self.labels(half)?.bytes)?,
            )?;
        }
        file("classes.txt", (CLASSES.join("\n") + "\n").as_bytes())?;
        file("description.md", include_bytes!("description.md"))?;
        file("challenge.toml", include_bytes!("challenge.toml"))
    }

    fn read(&self, name: &str, rank: u8) -> Result<Idx> {
        let gzipped = self.directory.join(format!("{name}.gz"));
        let path = if gzipped.exists() {
            gzipped
        } else {
            self.directory.join(name)
        };
        read_maybe_gzipped(&path)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| Idx::parse(&bytes, rank))
            .with_context(|| format!("cannot read {} as Fashion-MNIST", path.display()))
    }
}

/// An array of bytes in the IDX format of the original MNIST: two zero bytes, the element type (8: unsigned byte),
/// the rank, each dimension as a big-endian u32, the elements in C order.
pub struct Idx {
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Idx {
    fn parse(file: &[u8], rank: u8) -> Result<Self> {
        let header = 4 + 4 * usize::from(rank);
        ensure!(
            file.starts_with(&[0, 0, 8, rank]) && file.len() >= header,
            "this is not an IDX file of bytes with {rank} dimensions"
        );
        let shape: Vec<usize> = file[4..header]
            .chunks_exact(4)
            .map(|dimension| {
                u32::from_be_bytes([dimension[0], dimension[1], dimension[2], dimension[3]])
                    as usize
            })
            .collect();
        let elements = shape
            .iter()
            .try_fold(1_usize, |product, &n| product.checked_mul(n));
        if elements != Some(file.len() - header) {
            bail!(
                "its header announces {shape:?}, but {} bytes follow",
                file.len() - header
            );
        }
        Ok(Self {
            shape,
            bytes: file[header..].to_vec(),
        })
    }
}

fn read_maybe_gzipped(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::read(path)?;
    if !file.starts_with(&[0x1f, 0x8b]) {
        return Ok(file);
    }
    let mut bytes = Vec::new();
    MultiGzDecoder::new(&file[..]).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `image,label`, both counted from 0.
fn labels_csv(labels: &[u8]) -> io::Result<Vec<u8>> {
    let images = ImageList::ordinals(labels.len());
    let labels = Labels::from_sets(labels.iter().map(|&label| vec![Class(label.into())]));
    let mut csv = Vec::new();
    labels.write_csv(&mut csv, &images, &ClassList::uncounted())?;
    Ok(csv)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts from the paper; the first labels as `torchvision.datasets.FashionMNIST(…).targets[:5]` gives them.
    #[test]
    fn the_four_files_are_what_the_paper_describes() {
        let data = FashionMnist::locate().unwrap();
        let training = data.labels(Half::Training).unwrap();
        let test = data.labels(Half::Test).unwrap();
        assert_eq!(data.images(Half::Training).unwrap().shape, [60_000, 28, 28]);
        assert_eq!(data.images(Half::Test).unwrap().shape, [10_000, 28, 28]);
        assert_eq!(training.bytes[..5], [9, 0, 0, 3, 0]);
        assert_eq!(test.bytes[..5], [9, 2, 1, 1, 6]);
        let counts = |labels: &[u8]| {
            let mut counts = [0; 10];
            for &label in labels {
                counts[usize::from(label)] += 1;
            }
            counts
        };
        assert_eq!(counts(&training.bytes), [6_000; 10]);
        assert_eq!(counts(&test.bytes), [1_000; 10]);
    }

    #[test]
    fn broken_idx_files_are_refused_with_the_reason() {
        let message = |file: &[u8], rank| Idx::parse(file, rank).err().unwrap().to_string();
        assert!(message(b"PK\x03\x04", 1).contains("not an IDX file"));
        assert!(message(&[0, 0, 8, 1, 0, 0], 1).contains("not an IDX file"));
        assert!(
            message(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 7], 1)
                .contains("announces [3], but 2 bytes follow")
        );
        assert!(message(&[&[0, 0, 8, 3][..], &[0xff; 12]].concat(), 3).contains("announces"));
    }

    #[test]
    fn labels_are_written_by_ordinal() {
        assert_eq!(labels_csv(&[9, 2]).unwrap(), b"image,label\n0,9\n1,2\n");
    }
}

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::server::shared;

/// Images of a test's challenge.
pub const IMAGES: usize = 100;
/// Line i is class i of Fashion-MNIST.
const CLASSES: &str =
    "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n";
const SIDE: usize = 28;

/// The directory of a challenge: the first hundred test images of Fashion-MNIST.
pub struct Directory {
    directory: TempDir,
}

impl Directory {
    /// `rules` are further sections of `challenge.toml`.
    pub fn new(slug: &str, rules: &str) -> Self {
        let made = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        made.write(
            "challenge.toml",
            format!(
                "slug = \"{slug}\"\ntitle = \"A hundred clothes\"\ndescription = \"description.md\"\nclasses = \"classes.txt\"\n\
                 [test]\nimages = \"test-images.npy\"\nlabels = \"test-labels.csv\"\n[files]\nwords = \"description.md\"\n{rules}"
            ),
        );
        made.write("classes.txt", CLASSES);
        made.write("description.md", "Which piece of clothing is it?\n");
        made.write("test-labels.csv", labels_csv(&labels()));
        let pixels = idx("t10k-images-idx3-ubyte", 16, IMAGES * SIDE * SIDE);
        made.write(
            "test-images.npy",
            [npy_header().as_slice(), &pixels].concat(),
        );
        made
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).expect("write a file");
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    pub fn argument(&self) -> &str {
        self.path().to_str().expect("a UTF-8 path")
    }
}

/// A challenge of the shared server that is open, by its slug.
pub fn open(slug: &str, rules: &str) -> Directory {
    let directory = Directory::new(slug, rules);
    let create = ["challenge", "create", directory.argument()];
    shared().organizer.run(create).done();
    directory
}

/// The true classes, from 0.
pub fn labels() -> Vec<u8> {
    idx("t10k-labels-idx1-ubyte", 8, IMAGES)
}

pub fn labels_csv(labels: &[u8]) -> String {
    let mut csv = String::from("image,label\n");
    for (image, label) in labels.iter().enumerate() {
        writeln!(csv, "{image},{label}").expect("write to a string");
    }
    csv
}

/// ILSVRC text, one guess a line, classes from 1: wrong on the first `wrong` images, by the next class.
pub fn predictions(wrong: usize) -> String {
    let guesses = labels().into_iter().enumerate().map(|(image, label)| {
        if image < wrong {
            (label + 1) % 10
        } else {
            label
        }
    });
    guesses.fold(String::new(), |mut text, guess| {
        writeln!(text, "{}", guess + 1).expect("write to a string");
        text
    })
}

/// The first bytes behind the header of one of the data set's files.
fn idx(name: &str, header: usize, length: usize) -> Vec<u8> {
    let directory = std::env::var_os("REFEREE_FASHION_MNIST")
        .map_or_else(|| "/usr/share/datasets/fashion-mnist".into(), PathBuf::from);
    let file = directory.join(format!("{name}.gz"));
    let file = std::fs::File::open(&file).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; scripts/test installs the data set",
            file.display()
        )
    });
    let mut bytes = vec![0; header + length];
    GzDecoder::new(file)
        .read_exact(&mut bytes)
        .expect("read the data set");
    bytes.split_off(header)
}

/// NumPy's format, version 1.0: magic, a dictionary, blanks up to a multiple of 64, a newline.
fn npy_header() -> Vec<u8> {
    let shape = format!("({IMAGES}, {SIDE}, {SIDE})");
    let dictionary = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(u16::try_from(length).expect("short").to_le_bytes());
    header.extend(format!("{dictionary:<width$}\n", width = length - 1).bytes());
    header
}

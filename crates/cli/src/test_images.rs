//! Test images as an organizer has them: an NPY array of uint8, or a tar of JPEG and PNG files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use referee_scoring::ImageList;
use referee_scoring::npy::{self, Kind};

/// The images of one file, by ordinal.
pub struct TestImages {
    pub path: PathBuf,
    file: File,
    content: Content,
}

enum Content {
    /// uint8 `[N, H, W]` or `[N, H, W, C]`.
    Array {
        shape: Vec<usize>,
        data_offset: u64,
        image_bytes: usize,
    },
    /// In byte order of the names.
    Archive(Vec<Picture>),
}

/// A picture in a tar.
pub struct Picture {
    pub name: String,
    offset: u64,
    size: u64,
}

impl TestImages {
    /// Looks at the headers only.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file =
            File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut head = Vec::new();
        file.by_ref()
            .take(1 << 14)
            .read_to_end(&mut head)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let content = if head.starts_with(npy::MAGIC) {
            array(&head, file.metadata()?.len())
        } else if head.get(257..262) == Some(b"ustar") {
            archive(&file)
        } else {
            bail!(
                "{} is neither an .npy array of uint8 nor a .tar of JPEG and PNG files",
                path.display()
            )
        };
        let content = content.with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            content,
        })
    }

    pub fn len(&self) -> usize {
        match &self.content {
            Content::Array { shape, .. } => shape[0],
            Content::Archive(pictures) => pictures.len(),
        }
    }

    /// The images with their names, where they have any.
    pub fn list(&self) -> anyhow::Result<ImageList> {
        match &self.content {
            Content::Array { .. } => Ok(ImageList::ordinals(self.len())),
            Content::Archive(pictures) => {
                let names = pictures
                    .iter()
                    .map(|picture| picture.name.clone())
                    .collect();
                ImageList::named(names)
                    .with_context(|| format!("{} cannot be used", self.path.display()))
            }
        }
    }

    /// File sizes in bytes by ordinal, where the images are files.
    pub fn sizes(&self) -> Option<Vec<u64>> {
        match &self.content {
            Content::Array { .. } => None,
            Content::Archive(pictures) => {
                Some(pictures.iter().map(|picture| picture.size).collect())
            }
        }
    }

    /// The array's shape; none for a tar.
    pub fn shape(&self) -> Option<&[usize]> {
        match &self.content {
            Content::Array { shape, .. } => Some(shape),
            Content::Archive(_) => None,
        }
    }

    /// The pictures of a tar; none for an array.
    pub fn pictures(&self) -> Option<&[Picture]> {
        match &self.content {
            Content::Array { .. } => None,
            Content::Archive(pictures) => Some(pictures),
        }
    }

    /// The bytes of one image: its pixels, or its file.
    pub fn read(&self, ordinal: usize) -> anyhow::Result<Vec<u8>> {
        let (offset, length) = match &self.content {
            Content::Array {
                data_offset,
                image_bytes,
                ..
            } => (data_offset + (ordinal * image_bytes) as u64, *image_bytes),
            Content::Archive(pictures) => (
                pictures[ordinal].offset,
                usize::try_from(pictures[ordinal].size)?,
            ),
        };
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .with_context(|| format!("{} ends early", self.path.display()))?;
        Ok(bytes)
    }
}

fn array(head: &[u8], file_bytes: u64) -> anyhow::Result<Content> {
    let header = npy::Header::parse(head)?;
    let is_bytes = header.dtype.kind == Kind::Unsigned && header.dtype.bytes == 1;
    ensure!(
        is_bytes,
        "the images are {}; save them as uint8",
        header.dtype
    );
    ensure!(
        matches!(header.shape.len(), 3 | 4) && header.shape.iter().all(|&extent| extent > 0),
        "the shape is {}; expected [N, H, W] or [N, H, W, C]",
        header.shape_text()
    );
    let shape = header
        .shape
        .iter()
        .map(|&extent| usize::try_from(extent))
        .collect::<Result<Vec<_>, _>>()?;
    let product = |extents: &[usize]| {
        extents
            .iter()
            .try_fold(1_usize, |product, &extent| product.checked_mul(extent))
    };
    let image_bytes = product(&shape[1..]).context("the images are larger than memory")?;
    let data_offset = header.data_offset as u64;
    let expected =
        product(&shape).context("the images are larger than memory")? as u64 + data_offset;
    ensure!(
        file_bytes == expected,
        "{file_bytes} bytes, but shape {} takes {expected}; save the array again",
        header.shape_text()
    );
    Ok(Content::Array {
        shape,
        data_offset,
        image_bytes,
    })
}

fn archive(file: &File) -> anyhow::Result<Content> {
    let mut pictures = Vec::new();
    std::io::Seek::rewind(&mut { file })?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries()? {
        let mut entry = entry.context("the tar is damaged or cut off; make it again")?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .ok()
            .context("a name is not UTF-8; rename the file")?;
        let name = name.trim_start_matches("./").to_owned();
        ensure!(
            entry.header().entry_type().is_file(),
            "{name} is a link or a device; a tar of images holds plain files"
        );
        let mut magic = [0; 8];
        let read = entry.read(&mut magic)?;
        ensure!(
            magic[..read].starts_with(&[0xff, 0xd8, 0xff])
                || magic[..read] == *b"\x89PNG\r\n\x1a\n",
            "{name} is neither JPEG nor PNG; take it out or convert it"
        );
        pictures.push(Picture {
            name,
            offset: entry.raw_file_position(),
            size: entry.size(),
        });
    }
    ensure!(!pictures.is_empty(), "the tar holds no images");
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Content::Archive(pictures))
}

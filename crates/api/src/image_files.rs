//! What an uploaded set of images is: an array of pixels, or a tar of pictures.

use std::io::{self, Read};

use referee_scoring::images::ImageList;
use referee_scoring::npy::{self, Header, Kind};

use crate::problem::Problem;

/// Images in the order of their ordinals.
#[derive(Debug)]
pub struct ImageSet {
    pub list: ImageList,
    /// Encoded bytes of each image, where they are files.
    pub sizes: Option<Vec<i64>>,
}

const NEITHER: &str = "this is neither an NPY array nor a tar; send uint8 [N,H,W] or [N,H,W,C] written by np.save, or an uncompressed tar of \
                       JPEG and PNG files";

/// Reads `bytes` bytes of images: `.npy` (uint8 `[N,H,W]` or `[N,H,W,C]`) or `.tar` of JPEG and PNG, recognised by content.
///
/// # Errors
/// 422 that says what was expected, and of a tar which entry is not a picture.
pub fn read(mut file: impl Read, bytes: u64) -> Result<ImageSet, Problem> {
    let mut head = Vec::new();
    (&mut file)
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| Problem::internal(&error))?;
    let read_so_far = head.len();
    if head.starts_with(npy::MAGIC) {
        return npy_images(&head, bytes);
    }
    if head.get(257..262) == Some(b"ustar") {
        return tar_images(io::Cursor::new(&head[..read_so_far]).chain(file));
    }
    Err(Problem::unprocessable(match head.as_slice() {
        [0x1f, 0x8b, ..] => {
            "this is compressed with gzip; decompress it first and send the tar or NPY file itself"
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "this is compressed with zstd; decompress it first and send the tar or NPY file itself"
        }
        [b'P', b'K', 3, 4, ..] => {
            "this is a zip (or .npz) archive; send a tar (`tar cf images.tar DIR`) or a single array (np.save)"
        }
        _ => NEITHER,
    }))
}

/// Bytes that an NPY header may have.
const HEAD: u64 = 16 << 10;

fn npy_images(head: &[u8], bytes: u64) -> Result<ImageSet, Problem> {
    let header = Header::parse(head).map_err(|error| Problem::unprocessable(error.to_string()))?;
    let (shape, dtype) = (header.shape_text(), header.dtype);
    if dtype.kind != Kind::Unsigned || dtype.bytes != 1 {
        return Err(Problem::unprocessable(format!(
            "the array is {dtype} {shape}; images are uint8: save np.asarray(images, dtype=np.uint8)"
        )));
    }
    let count = match header.shape.as_slice() {
        [count, height, width] | [count, height, width, 1..=4] if *height > 0 && *width > 0 => {
            *count
        }
        _ => {
            return Err(Problem::unprocessable(format!(
                "the array has shape {shape}; images are [N,H,W], or [N,H,W,C] with 1 to 4 channels last"
            )));
        }
    };
    let pixels = header
        .shape
        .iter()
        .try_fold(1_u64, |product, size| product.checked_mul(*size));
    let expected = pixels.and_then(|pixels| pixels.checked_add(header.data_offset as u64));
    if expected != Some(bytes) {
        return Err(Problem::unprocessable(format!(
            "an array of shape {shape} and its header do not fill {bytes} bytes; the file is cut off or damaged: save and send it again"
        )));
    }
    Ok(ImageSet {
        list: ImageList::ordinals(in_range(count)?),
        sizes: None,
    })
}

fn tar_images(file: impl Read) -> Result<ImageSet, Problem> {
    let unreadable = |error: io::Error| {
        Problem::unprocessable(format!(
            "the tar cannot be read to its end: {error}; make it again with `tar cf images.tar DIR`"
        ))
    };
    let mut pictures = Vec::new();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&name).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(Problem::unprocessable(format!(
                "`{shown}` in the tar is not a file; put only JPEG and PNG files in it"
            )));
        }
        let name = String::from_utf8(name).map_err(|_| {
            Problem::unprocessable(format!(
                "the name `{shown}` in the tar is not UTF-8; rename that file"
            ))
        })?;
        let size = entry.size();
        let mut start = Vec::new();
        (&mut entry)
            .take(8)
            .read_to_end(&mut start)
            .map_err(unreadable)?;
        if !start.starts_with(b"\xff\xd8\xff") && start != b"\x89PNG\r\n\x1a\n" {
            return Err(Problem::unprocessable(format!(
                "`{shown}` in the tar is neither JPEG nor PNG; put only pictures in it"
            )));
        }
        let name = name.strip_prefix("./").map_or(name.clone(), str::to_owned);
        pictures.push((name, i64::try_from(size).unwrap_or(i64::MAX)));
    }
    pictures.sort_unstable();
    in_range(pictures.len() as u64)?;
    let (names, sizes) = pictures.into_iter().unzip();
    let list =
        ImageList::named(names).map_err(|error| Problem::unprocessable(error.to_string()))?;
    Ok(ImageSet {
        list,
        sizes: Some(sizes),
    })
}

/// A number of images that a challenge can have: PostgreSQL counts them in an int4.
fn in_range(count: u64) -> Result<usize, Problem> {
    match i32::try_from(count) {
        Ok(1..) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Problem::unprocessable(format!(
            "{count} images; a test set has 1 to {}",
            i32::MAX
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_beyond_all_numbers_is_refused() {
        let shape = "(1, 4294967296, 4294967296)";
        let mut text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        text = format!("{text:<117}\n");
        let file = [npy::MAGIC, b"\x01\0\x76\0", text.as_bytes()].concat();
        let bytes = file.len() as u64;
        let problem = read(file.as_slice(), bytes).expect_err("refused");
        assert!(
            problem.detail().contains("do not fill"),
            "{}",
            problem.detail()
        );
    }
}

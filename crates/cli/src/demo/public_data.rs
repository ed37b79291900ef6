//! The demo's competitors read what the server lets anyone download, and nothing else.

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use referee_scoring::{ClassList, ImageList, Labels, npy};

use super::competitors::Training;

/// The examples in a challenge's `train-images` (NPY, uint8 `[N, H, W]`) and `train-labels` (CSV).
pub fn training(images: &[u8], labels: &[u8], classes: &ClassList) -> Result<Training> {
    let images = self::images(images)?;
    let (labels, _) =
        Labels::parse_csv(labels, classes, Some(&ImageList::ordinals(images.nrows())))?;
    let labels: Vec<usize> = labels
        .iter()
        .flatten()
        .map(|class| class.0 as usize)
        .collect();
    ensure!(
        labels.len() == images.nrows(),
        "{} labels for {} training images: the demo needs exactly one for each",
        labels.len(),
        images.nrows()
    );
    Ok(Training { images, labels })
}

/// An NPY file of uint8 `[N, H, W]` as `[N, H·W]`, 0 to 1.
pub fn images(file: &[u8]) -> Result<Array2<f32>> {
    let header = npy::Header::parse(file)?;
    ensure!(
        header.dtype.to_string() == "uint8" && header.shape.len() == 3,
        "the images are {} {}; the demo reads uint8 [N, H, W]",
        header.dtype,
        header.shape_text()
    );
    let shape = header
        .shape
        .iter()
        .map(|&n| usize::try_from(n))
        .collect::<Result<Vec<_>, _>>()?;
    let pixels = &file[header.data_offset..];
    let pixels: Vec<f32> = pixels
        .iter()
        .map(|&pixel| f32::from(pixel) / 255.0)
        .collect();
    let bytes = pixels.len();
    Array2::from_shape_vec((shape[0], shape[1] * shape[2]), pixels).with_context(|| {
        format!("the images should be {shape:?}, but {bytes} bytes follow the header")
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn two_images() -> Vec<u8> {
        [npy::header("|u1", &[2, 1, 2]), vec![0, 255, 51, 102]].concat()
    }

    #[test]
    fn images_and_labels_are_paired_by_ordinal() {
        let classes = ClassList::numbered(10);
        let training = training(&two_images(), b"image,label\n1,3\n0,9\n", &classes).unwrap();
        assert_eq!(training.images, array![[0.0, 1.0], [0.2, 0.4]]);
        assert_eq!(training.labels, [9, 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let classes = ClassList::numbered(10);
        let message = |file: &[u8]| images(file).unwrap_err().to_string();
        assert!(message(&npy::header("<f4", &[0, 1, 2])).contains("float32 [0, 1, 2]"));
        assert!(message(&two_images()[..129]).contains("1 bytes follow"));
        let unlabelled = training(&two_images(), b"image,label\n0,9\n1,\n", &classes);
        assert!(
            unlabelled
                .err()
                .unwrap()
                .to_string()
                .starts_with("1 labels for 2")
        );
    }
}

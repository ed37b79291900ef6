//! The demo's competitors know what the server lets anyone download, and nothing else.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ndarray::Array2;
use referee_client::Client;
use referee_client::documents::{ChallengeDocument, StoredFile};
use referee_client::http::{Asset, sha256_of};
use referee_scoring::{ClassEntry, ClassList, ImageList, Labels, npy};
use tokio::fs;

use super::competitors::Training;
use crate::progress;

/// A challenge's public files, in memory.
pub struct PublicData {
    pub training: Training,
    /// `[N, pixels]`, as in [`Training`].
    pub test_images: Array2<f32>,
}

/// Downloads the public files of `challenge`, unless an earlier run left them in `directory`, and reads them.
pub async fn download(
    server: &Client,
    challenge: &ChallengeDocument,
    directory: &Path,
) -> Result<PublicData> {
    fs::create_dir_all(directory)
        .await
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let fetch = async |asset: Asset<'_>, stored: Option<&StoredFile>| {
        let stored = stored.with_context(|| {
            format!(
                "{} is not public on this server; start over with another --data",
                name(asset)
            )
        })?;
        let path = directory.join(&stored.filename);
        if !path.exists() || sha256_of(&path).await? != stored.sha256 {
            let bar = progress::transfer(name(asset), stored.bytes);
            let watch = progress::watch(&bar);
            server
                .download_asset(&challenge.slug, asset, stored, &path, Some(&watch))
                .await?;
            bar.finish_and_clear();
        }
        fs::read(&path)
            .await
            .with_context(|| format!("cannot read {}", path.display()))
    };
    let file = async |key| fetch(Asset::File(key), challenge.files.get(key)).await;
    let training_images = file("train-images").await?;
    let training_labels = file("train-labels").await?;
    let test_images = fetch(Asset::TestImages, challenge.test.file.as_ref()).await?;

    let reading = progress::spinner("reading the images");
    let classes = challenge.classes.iter().map(|class| ClassEntry {
        name: class.name.clone(),
        id: class.id.clone(),
    });
    let data = PublicData {
        training: training(
            &training_images,
            &training_labels,
            &ClassList::new(classes.collect())?,
        )?,
        test_images: images(&test_images)?,
    };
    reading.finish_and_clear();
    Ok(data)
}

fn name(asset: Asset<'_>) -> &str {
    match asset {
        Asset::File(key) => key,
        _ => "test-images",
    }
}

/// The examples in a challenge's `train-images` (NPY, uint8 `[N, H, W]`) and `train-labels` (CSV).
fn training(images: &[u8], labels: &[u8], classes: &ClassList) -> Result<Training> {
    let images = self::images(images)?;
    let (labels, _) =
        Labels::parse_csv(labels, classes, Some(&ImageList::ordinals(images.nrows())))?;
    let labels: Vec<usize> = labels
        .iter()
        .flatten()
        .map(|class| usize::from(class.0))
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
fn images(file: &[u8]) -> Result<Array2<f32>> {
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

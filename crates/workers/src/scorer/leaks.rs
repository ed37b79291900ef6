//! Whether a draft's test set gives its labels away, as anyone would find out who has the file of images.

use std::fs::File;
use std::io;

use referee_scoring::image_files::{self, ImageFile, Traits};
use referee_scoring::labels::Labels;
use referee_scoring::leaks::{self, TestSet};
use referee_scoring::{FormatError, PictureFile};
use referee_storage::StorageError;
use referee_storage::objects::{ObjectError, ObjectStore};
use referee_storage::scorer::ChallengeFacts;
use tokio::task::spawn_blocking;

/// The words for what was found, of which there is a short list. `images`: the object of the test images and its bytes.
pub(super) async fn finding(
    objects: &ObjectStore,
    images: Option<(String, u64)>,
    facts: ChallengeFacts,
    labels: Labels,
) -> Result<Option<String>, StorageError> {
    let archive = match images {
        Some((key, bytes)) => archive(objects, &key, bytes).await.map_err(unreadable)?,
        None => None,
    };
    let look = move || {
        // Images that changed just now: their names are not those of the facts, and they are looked at when these are.
        let of_these = archive
            .as_ref()
            .filter(|archive| archive.files.len() == labels.len());
        leaks::findings(&TestSet {
            labels: &labels,
            classes: &facts.classes,
            images: &facts.images,
            files: of_these.map(|archive| archive.files.as_slice()),
            traits: of_these.map_or(&[], |archive| archive.traits.as_slice()),
        })
        .public_sentence()
    };
    spawn_blocking(look)
        .await
        .map_err(|_| StorageError::Corrupt("the leak check broke off"))
}

#[expect(clippy::needless_pass_by_value, reason = "goes into `map_err`")]
fn unreadable(error: io::Error) -> StorageError {
    tracing::warn!(%error, "the test images cannot be read for the leak check");
    StorageError::Corrupt("the test images cannot be read back from the object store")
}

/// The files of a tar, and what a sample of its pictures says about itself.
struct Archive {
    files: Vec<PictureFile>,
    traits: Vec<(usize, Traits)>,
}

/// None of an array, which has no more to tell than its order.
async fn archive(objects: &ObjectStore, key: &str, bytes: u64) -> io::Result<Option<Archive>> {
    let store = |error: ObjectError| io::Error::other(error);
    if let Some(path) = objects.path(key).map_err(store)? {
        let look = move || {
            let Some(files) = files(ImageFile::read_seeking(File::open(&path)?, bytes))? else {
                return Ok(None);
            };
            let sampled = leaks::sampled(files.len());
            let traits = image_files::survey(File::open(&path)?, &files, sampled)?;
            Ok(Some(Archive { files, traits }))
        };
        return spawn_blocking(look).await.map_err(io::Error::other)?;
    }
    // A store elsewhere is read through, twice: for where the pictures are, then for what they say.
    let reader = objects.reader(key).await.map_err(store)?;
    let read = spawn_blocking(move || files(ImageFile::read(reader, bytes)));
    let Some(files) = read.await.map_err(io::Error::other)?? else {
        return Ok(None);
    };
    let reader = objects.reader(key).await.map_err(store)?;
    let look = move || {
        let traits = image_files::survey_stream(reader, &files, leaks::sampled(files.len()))?;
        Ok(Some(Archive { files, traits }))
    };
    spawn_blocking(look).await.map_err(io::Error::other)?
}

fn files(read: Result<ImageFile, FormatError>) -> io::Result<Option<Vec<PictureFile>>> {
    match read {
        Ok(ImageFile::Archive(files)) => Ok(Some(files)),
        Ok(ImageFile::Array { .. }) => Ok(None),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

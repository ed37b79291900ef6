use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use referee_networks::images::{
    self, Building, Geometry, ImageCache, ImageError, Pixels as _, Prepared,
};
use referee_scoring::ImageList;
use referee_scoring::model_form::{ImageInput, Recipe};
use referee_storage::Wait;
use referee_storage::inference::{self, Ending, FailureReason, StoredImages};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::Inference;
use super::files::{LocalFile, local};
use super::run::Stop;

/// A challenge's images on this machine, as they were uploaded.
pub(super) struct Uploaded {
    set: Arc<images::TestSet>,
    stored: StoredImages,
    _file: LocalFile,
}

/// The same as a network takes them: uint8 `[h,w,c]` each, mapped into memory and shared with all who use the recipe.
pub(super) struct TestSet {
    prepared: Arc<Prepared>,
    len: usize,
}

impl Uploaded {
    pub async fn open(worker: &Inference, stored: &StoredImages) -> Result<Self, Stop> {
        let file = local(&worker.objects, &stored.object_key, &worker.config.cache).await;
        let file = file.map_err(|error| Stop::trouble(error.waits_for(), &error))?;
        let path = file.path().to_owned();
        let set = blocking(move || images::TestSet::open(&path)).await?;
        Ok(Self {
            set: Arc::new(set),
            stored: stored.clone(),
            _file: file,
        })
    }

    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// The images with their names, where they have any.
    pub fn list(&self) -> Result<ImageList, Stop> {
        self.set.list().map_err(refused)
    }

    /// `[height, width, channels]`, where all images are of one size.
    pub fn shape(&self) -> Option<[usize; 3]> {
        match *self.set.shape()? {
            [_, height, width] => Some([height, width, 1]),
            [_, height, width, channels] => Some([height, width, channels]),
            _ => None,
        }
    }

    /// Decoded and resized as the recipe says, which another submission may have had done. `done` counts the images meanwhile.
    pub async fn prepare(
        &self,
        worker: &Inference,
        recipe: &Value,
        done: Arc<AtomicUsize>,
    ) -> Result<TestSet, Stop> {
        let geometry = geometry(recipe)?;
        let config = &worker.config;
        let cache = ImageCache::new(config.cache.clone(), config.cache_mb << 20);
        let cache = cache.map_err(|error| Stop::trouble(Wait::Cache, &error))?;
        let (set, sha256) = (Arc::clone(&self.set), hexadecimal(&self.stored.sha256));
        let prepared = spawn_blocking(move || {
            cache.prepare(&set, &sha256, geometry, &mut |building| {
                if let Building::Here { done: images, .. } = building {
                    done.store(images, Ordering::Relaxed);
                }
            })
        });
        match prepared.await {
            Ok(Ok(prepared)) => Ok(TestSet {
                prepared: Arc::new(prepared),
                len: self.len(),
            }),
            Ok(Err(error @ ImageError::Picture { .. })) => {
                tracing::error!(%error, "no model can be run on these images");
                inference::report_picture(&worker.db, &self.stored, &error.to_string()).await?;
                Err(Stop::Ended(Ending::Failed(
                    FailureReason::PictureUndecodable,
                )))
            }
            Ok(Err(error)) if error.is_of_file_below(&config.cache) => {
                Err(Stop::trouble(Wait::Cache, &error))
            }
            Ok(Err(error)) => Err(refused(error)),
            Err(panic) => Err(Stop::Broke(panic.to_string())),
        }
    }

    /// Decodes every picture. The sentence, for the organizers, names those that cannot be decoded; it breaks where `go_on` had it
    /// leave off.
    pub async fn undecodable(
        &self,
        go_on: impl Fn() -> bool + Send + 'static,
    ) -> Result<ControlFlow<(), Option<String>>, Stop> {
        let set = Arc::clone(&self.set);
        let checked = spawn_blocking(move || {
            set.check(|_| {
                if go_on() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        Ok(
            match checked
                .await
                .map_err(|panic| Stop::Broke(panic.to_string()))?
            {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(None),
                Ok(ControlFlow::Break(())) => ControlFlow::Break(()),
                Err(undecodable) => ControlFlow::Continue(Some(undecodable.to_string())),
            },
        )
    }
}

impl TestSet {
    pub fn len(&self) -> usize {
        self.len
    }

    /// The pixels of a range of images, one image after the other.
    pub async fn pixels(&self, range: Range<usize>) -> Result<Vec<u8>, Stop> {
        let prepared = Arc::clone(&self.prepared);
        blocking(move || Ok(prepared.images.read(range)?.into_owned())).await
    }
}

/// What is done to the pixels, from a recipe that a process said it uses: read as a stranger's.
fn geometry(recipe: &Value) -> Result<Geometry, Stop> {
    let recipe: Recipe = serde_json::from_value(recipe.clone())
        .map_err(|error| Stop::rejected(format!("`preprocess`: {error}")))?;
    let channels = recipe.mean.as_ref().map(Vec::len);
    let input = ImageInput {
        channels: channels.and_then(|channels| u32::try_from(channels).ok()),
        size: None,
        raw: false,
    };
    let resolved = recipe.resolve(input);
    let resolved = resolved.map_err(|error| Stop::rejected(format!("`preprocess`: {error}")))?;
    Ok(Geometry::of(&resolved))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, Stop> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(refused),
        Err(panic) => Err(Stop::Broke(panic.to_string())),
    }
}

/// Whose fault it is: the recipe's, or ours.
fn refused(error: ImageError) -> Stop {
    match error {
        ImageError::Recipe(sentence) => Stop::rejected(sentence),
        ImageError::LargerThanCache { needed, limit } => Stop::rejected(format!(
            "the test images would take {} MiB in the size that `preprocess` asks for, more than the {} MiB that are kept here: ask for smaller images",
            needed >> 20,
            limit >> 20
        )),
        error @ ImageError::CacheInUse { .. } => Stop::trouble(Wait::Cache, &error),
        error @ ImageError::File { .. } => Stop::trouble(Wait::Storage, &error),
        error @ (ImageError::NoTestSet { .. } | ImageError::Picture { .. }) => {
            Stop::trouble(Wait::Images, &error)
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

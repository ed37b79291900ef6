use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use referee_networks::images::{
    self, Building, DecodedOnDemand, Geometry, ImageCache, ImageError, Pixels as _, Prepared,
};
use referee_networks::predict;
use referee_scoring::model_form::{Preprocessing, Recipe, Size};
use referee_scoring::{ImageList, ImageOrder, Notice};
use referee_storage::Wait;
use referee_storage::inference::{self, Ending, FailureReason, StoredImages};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::Inference;
use super::files::{LocalFile, local};
use super::model::resolved;
use super::run::Stop;

/// A challenge's images on this machine, as they were uploaded.
pub(super) struct Uploaded {
    set: Arc<images::TestSet>,
    stored: StoredImages,
    order: ImageOrder,
    _file: LocalFile,
}

/// The same as a network takes them: uint8 `[h,w,c]` each, mapped into memory and shared with all who use the recipe.
pub(super) struct TestSet {
    prepared: Arc<Prepared>,
    len: usize,
}

impl Uploaded {
    /// Images in byte order of their names.
    pub async fn open(worker: &Inference, stored: &StoredImages) -> Result<Self, Stop> {
        Self::open_in(worker, stored, ImageOrder::Bytes).await
    }

    /// Images in this order of their names.
    pub async fn open_in(
        worker: &Inference,
        stored: &StoredImages,
        order: ImageOrder,
    ) -> Result<Self, Stop> {
        let file = local(worker, &stored.object_key, &stored.sha256).await;
        let file = file.map_err(|error| Stop::trouble(error.waits_for(), &error))?;
        let path = file.path().to_owned();
        let set = blocking(move || images::TestSet::open(&path)).await?;
        Ok(Self {
            set: Arc::new(set.in_order(order)),
            stored: stored.clone(),
            order,
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
        let geometry = Geometry::of(&preprocessing(recipe)?);
        let config = &worker.config;
        let cache = ImageCache::new(config.cache.clone(), config.cache_mb << 20);
        let cache = cache.map_err(|error| Stop::trouble(Wait::Cache, &error))?;
        let set = Arc::clone(&self.set);
        let mut content = hexadecimal(&self.stored.sha256);
        // The same file in another order is another set.
        if self.order == ImageOrder::Natural {
            content.push_str("-natural");
        }
        let prepared = spawn_blocking(move || {
            cache.prepare(&set, &content, geometry, &mut |building| {
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

    /// The pixels of some images, decoded and resized for this once.
    pub async fn few(&self, recipe: &Preprocessing, ordinals: &[usize]) -> Result<Vec<u8>, Stop> {
        let (set, geometry) = (Arc::clone(&self.set), Geometry::of(recipe));
        let ordinals = ordinals.to_vec();
        blocking(move || {
            let prepared = DecodedOnDemand::new(&set, geometry)?;
            let mut pixels = Vec::new();
            for ordinal in ordinals {
                pixels.extend_from_slice(&prepared.read(ordinal..ordinal + 1)?);
            }
            Ok(pixels)
        })
        .await
    }

    /// The size of all images, where they have the same.
    pub fn size(&self) -> Option<Size> {
        self.set.uniform().map(|(size, _)| size)
    }

    /// What is said where the recipe, of which nobody spoke, enlarges some of these pictures of many sizes.
    pub async fn enlarged(&self, recipe: &Value) -> Result<Option<Notice>, Stop> {
        let recipe = preprocessing(recipe)?;
        let Some((crop, _)) = recipe.crop.zip(recipe.small) else {
            return Ok(None);
        };
        let set = Arc::clone(&self.set);
        let is_smaller = blocking(move || Ok(set.has_smaller(crop))).await?;
        Ok(is_smaller.then(|| predict::enlarged("some of the images are smaller", crop)))
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

/// The recipe that a process said it uses.
pub(super) fn preprocessing(recipe: &Value) -> Result<Preprocessing, Stop> {
    let recipe: Recipe = serde_json::from_value(recipe.clone())
        .map_err(|error| Stop::rejected(format!("`preprocess`: {error}")))?;
    resolved(&recipe).map_err(|error| Stop::rejected(format!("`preprocess`: {error}")))
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

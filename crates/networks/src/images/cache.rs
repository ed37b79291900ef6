//! Prepared images on disk: each test set decoded and resized once for each geometry, by whichever process comes first.
//!
//! A directory holds for each pair `NAME.npy` (finished), `NAME.part` (being built, its space reserved) and `NAME.lock`. Whoever
//! reads holds the lock shared, whoever builds or evicts holds it alone; the kernel releases a dead process's locks. The lock file's
//! time of modification is the last use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use referee_scoring::npy;

use super::error::{About as _, ImageError};
use super::geometry::Geometry;
use super::pixels::{DecodedOnDemand, PixelArray, Pixels as _};
use super::test_set::TestSet;

/// Images that are prepared between two reports of progress.
const BLOCK: usize = 64;

/// How often another process's progress is looked at.
const POLL: Duration = Duration::from_millis(200);

/// A directory of prepared images that never grows beyond its limit: what was used least recently gives way.
#[derive(Clone, Debug)]
pub struct ImageCache {
    directory: PathBuf,
    limit: u64,
}

/// How far preparing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Building {
    /// So many of the images are done.
    Here { done: usize, total: usize },
    /// Another process prepares the same images.
    Elsewhere,
}

/// Prepared images, which stay while this value lives.
pub struct Prepared {
    pub images: PixelArray,
    /// Shared; none where the test set itself is read.
    _in_use: Option<File>,
}

impl ImageCache {
    /// # Errors
    /// The directory cannot be made.
    pub fn new(directory: PathBuf, limit: u64) -> Result<Self, ImageError> {
        fs::create_dir_all(&directory).about(&directory, "created")?;
        Ok(Self { directory, limit })
    }

    /// The images of `set` in this geometry: as they are where nothing has to be done, else from the cache, else built now while
    /// `progress` is told. `sha256` is that of the test set's file, in hexadecimal.
    ///
    /// # Errors
    /// A picture cannot be used, or there is no room; [`ImageError::CacheInUse`] passes.
    pub fn prepare(
        &self,
        set: &TestSet,
        sha256: &str,
        geometry: Geometry,
        progress: &mut dyn FnMut(Building),
    ) -> Result<Prepared, ImageError> {
        let is_kept = set
            .uniform()
            .is_some_and(|(size, channels)| geometry.keeps(size, channels));
        if is_kept {
            return Ok(Prepared {
                images: PixelArray::open(set.path())?,
                _in_use: None,
            });
        }
        let entry = Entry {
            directory: &self.directory,
            name: format!("{sha256}-{geometry}"),
        };
        loop {
            if let Some(prepared) = entry.open()? {
                return Ok(prepared);
            }
            match entry.lock_alone()? {
                Some(_lock) if !entry.finished().exists() => {
                    self.build(&entry, set, geometry, progress)?;
                }
                Some(_) => {}
                None => {
                    progress(Building::Elsewhere);
                    std::thread::sleep(POLL);
                }
            }
        }
    }

    /// Builds an entry; its lock is held. A process that dies here leaves a `.part`, which the next one overwrites.
    fn build(
        &self,
        entry: &Entry<'_>,
        set: &TestSet,
        geometry: Geometry,
        progress: &mut dyn FnMut(Building),
    ) -> Result<(), ImageError> {
        let source = DecodedOnDemand::new(set, geometry)?;
        let shape = source.shape();
        let header = npy::header("|u1", &shape);
        let image: usize = shape[1..].iter().product();
        let length = header.len() as u64 + shape[0] as u64 * image as u64;
        let part = entry.part();
        let file = self.reserve(entry, length)?;
        let built = (|| {
            file.write_all_at(&header, 0).about(&part, "written")?;
            for first in (0..shape[0]).step_by(BLOCK) {
                progress(Building::Here {
                    done: first,
                    total: shape[0],
                });
                let block = first..(first + BLOCK).min(shape[0]);
                let at = header.len() as u64 + first as u64 * image as u64;
                file.write_all_at(&source.read(block)?, at)
                    .about(&part, "written")?;
            }
            file.sync_all().about(&part, "written")?;
            fs::rename(&part, entry.finished()).about(&part, "renamed")?;
            progress(Building::Here {
                done: shape[0],
                total: shape[0],
            });
            let directory = File::open(&self.directory).and_then(|directory| directory.sync_all());
            directory.about(&self.directory, "written")
        })();
        if built.is_err() {
            // Frees the space now; the next build would overwrite it.
            let _ = fs::remove_file(&part);
        }
        built
    }

    /// The entry's `.part` at its full length, after making room for it. One process at a time decides who gives way.
    fn reserve(&self, entry: &Entry<'_>, length: u64) -> Result<File, ImageError> {
        if length > self.limit {
            return Err(ImageError::LargerThanCache {
                needed: length,
                limit: self.limit,
            });
        }
        let path = self.directory.join("reserving.lock");
        let alone = open_lock(&path)?;
        alone.lock().about(&path, "locked")?;
        let part = entry.part();
        let _ = fs::remove_file(&part);
        let mut in_use = self
            .stored()?
            .iter()
            .map(|stored| stored.bytes)
            .sum::<u64>();
        let mut oldest_first = self.stored()?;
        oldest_first.sort_by_key(|stored| stored.last_use);
        for stored in oldest_first {
            if in_use + length <= self.limit {
                break;
            }
            let other = Entry {
                directory: &self.directory,
                name: stored.name,
            };
            if other.name != entry.name && other.evict()? {
                in_use -= stored.bytes;
            }
        }
        if in_use + length > self.limit {
            return Err(ImageError::CacheInUse {
                in_use,
                needed: length,
                limit: self.limit,
            });
        }
        let options = || {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&part)
        };
        let file = options().about(&part, "created")?;
        file.set_len(length).about(&part, "extended")?;
        Ok(file)
    }

    /// Everything that takes space.
    fn stored(&self) -> Result<Vec<Stored>, ImageError> {
        let directory = fs::read_dir(&self.directory).about(&self.directory, "read")?;
        let mut stored = Vec::new();
        for file in directory {
            let path = file.about(&self.directory, "read")?.path();
            let holds_pixels = path
                .extension()
                .is_some_and(|extension| extension == "npy" || extension == "part");
            let (Some(name), true) = (
                path.file_stem().and_then(|name| name.to_str()),
                holds_pixels,
            ) else {
                continue;
            };
            let used = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
            // What vanishes while we look takes no space.
            if let Ok(metadata) = fs::metadata(&path) {
                stored.push(Stored {
                    name: name.to_owned(),
                    bytes: metadata.len(),
                    last_use: used(&path.with_extension("lock")).unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(stored)
    }
}

struct Stored {
    name: String,
    bytes: u64,
    last_use: SystemTime,
}

/// One test set in one geometry.
struct Entry<'c> {
    directory: &'c Path,
    name: String,
}

impl Entry<'_> {
    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.name))
    }

    fn finished(&self) -> PathBuf {
        self.file("npy")
    }

    fn part(&self) -> PathBuf {
        self.file("part")
    }

    /// The finished images, if they are there; marks them as used now.
    fn open(&self) -> Result<Option<Prepared>, ImageError> {
        if !self.finished().exists() {
            return Ok(None);
        }
        let path = self.file("lock");
        let lock = open_lock(&path)?;
        lock.lock_shared().about(&path, "locked")?;
        if !is_at(&lock, &path) || !self.finished().exists() {
            return Ok(None);
        }
        lock.set_modified(SystemTime::now())
            .about(&path, "marked as used")?;
        Ok(Some(Prepared {
            images: PixelArray::open(&self.finished())?,
            _in_use: Some(lock),
        }))
    }

    /// The lock that lets no one else read, build or evict; none while anyone does.
    fn lock_alone(&self) -> Result<Option<File>, ImageError> {
        let path = self.file("lock");
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(is_at(&lock, &path).then_some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).about(&path, "locked"),
        }
    }

    /// Removes the entry unless it is in use.
    fn evict(&self) -> Result<bool, ImageError> {
        let Some(_lock) = self.lock_alone()? else {
            return Ok(false);
        };
        for path in [self.finished(), self.part(), self.file("lock")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).about(&path, "removed");
                }
                _ => {}
            }
        }
        Ok(true)
    }
}

fn open_lock(path: &Path) -> Result<File, ImageError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path).about(path, "opened")
}

/// Whether the locked file is still the one at that path: an evicted entry's lock file is gone, and its lock means nothing.
fn is_at(lock: &File, path: &Path) -> bool {
    let same = || {
        let (held, there) = (lock.metadata().ok()?, fs::metadata(path).ok()?);
        Some(held.ino() == there.ino() && held.dev() == there.dev())
    };
    same() == Some(true)
}

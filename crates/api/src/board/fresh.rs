use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::hub::Watched;

/// A value that is read from the database when what it depends on has changed, by one reader for all who wait for it,
/// and at most once an interval.
pub struct Fresh<T> {
    interval: Duration,
    kept: Mutex<Option<Reading<T>>>,
    /// Held by whoever reads.
    reader: tokio::sync::Mutex<()>,
}

struct Reading<T> {
    /// The changes that had been announced before it was read; it may show later ones, too.
    changes: u64,
    at: Instant,
    value: Arc<T>,
}

impl<T> Fresh<T> {
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            kept: Mutex::new(None),
            reader: tokio::sync::Mutex::new(()),
        }
    }

    /// The value with, at least, every change that was announced before the call; where it `may_be_old`, whatever is kept.
    pub async fn get<E>(
        &self,
        watched: &Watched,
        may_be_old: bool,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let wanted = if may_be_old { 0 } else { watched.count() };
        if let Some(value) = self.kept_since(wanted) {
            return Ok(value);
        }
        let _reader = self.reader.lock().await;
        if let Some(value) = self.kept_since(wanted) {
            return Ok(value);
        }
        let last = self.kept().as_ref().map(|reading| reading.at);
        if let Some(last) = last {
            tokio::time::sleep_until(last + self.interval).await;
        }
        let (changes, at) = (watched.count(), Instant::now());
        let value = Arc::new(read().await?);
        *self.kept() = Some(Reading {
            changes,
            at,
            value: Arc::clone(&value),
        });
        Ok(value)
    }

    /// Whoever asks next has it read anew.
    pub fn forget(&self) {
        *self.kept() = None;
    }

    fn kept_since(&self, changes: u64) -> Option<Arc<T>> {
        self.kept()
            .as_ref()
            .filter(|reading| reading.changes >= changes)
            .map(|reading| Arc::clone(&reading.value))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Reading<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

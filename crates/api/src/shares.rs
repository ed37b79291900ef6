use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// A share of the same size for each of those who hold some of theirs, or wait for it; nobody else's is kept.
pub(crate) struct Shares<K> {
    size: usize,
    held: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Shares<K> {
    pub fn of(size: usize) -> Self {
        Self {
            size,
            held: Mutex::default(),
        }
    }

    pub fn of_holder(&self, holder: K) -> Arc<Semaphore> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, share| Arc::strong_count(share) > 1);
        let share = held
            .entry(holder)
            .or_insert_with(|| Arc::new(Semaphore::new(self.size)));
        Arc::clone(share)
    }
}

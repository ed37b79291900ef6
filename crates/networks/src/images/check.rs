//! Whether every picture of a test set can be decoded: what an organizer wants to know before a model finds out.

use std::fmt;
use std::ops::ControlFlow;

use rayon::prelude::*;

use super::error::ImageError;
use super::test_set::TestSet;

/// Pictures that are tried between two reports of progress.
const BLOCK: usize = 64;
/// Pictures that are named.
const NAMED: usize = 5;

/// The pictures of a test set that cannot be decoded. As a sentence it names the first of them.
#[derive(Debug)]
pub struct Undecodable {
    /// Of the test set.
    pub pictures: usize,
    /// Of those that cannot be decoded.
    pub count: usize,
    /// The first few, each with what is wrong with it.
    pub first: Vec<ImageError>,
}

impl TestSet {
    /// Decodes every picture, on all threads. `tried` is told after some how many there were, and may leave off. An array needs no
    /// decoding.
    ///
    /// # Errors
    /// Some cannot be decoded.
    pub fn check(
        &self,
        mut tried: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Undecodable> {
        let pictures = self.pictures().map_or(0, <[_]>::len);
        let mut found = Undecodable {
            pictures,
            count: 0,
            first: Vec::new(),
        };
        for first in (0..pictures).step_by(BLOCK) {
            let block = first..(first + BLOCK).min(pictures);
            let end = block.end;
            let broken: Vec<ImageError> = block
                .into_par_iter()
                .filter_map(|ordinal| self.picture(ordinal).err())
                .collect();
            found.count += broken.len();
            let room = NAMED - found.first.len();
            found.first.extend(broken.into_iter().take(room));
            if tried(end).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if found.count > 0 {
            return Err(found);
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl std::error::Error for Undecodable {}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pictures,
            count,
            first,
        } = self;
        write!(f, "{count} of {pictures} pictures cannot be decoded")?;
        for (place, error) in first.iter().enumerate() {
            write!(f, "{}{error}", if place == 0 { ": " } else { "; " })?;
        }
        if *count > first.len() {
            write!(f, "; and {} more", count - first.len())?;
        }
        Ok(())
    }
}

//! The referee's arithmetic: what a prediction file says, how many images it gets wrong, and how sure that number is.
//!
//! Everything here is pure and synchronous: bytes come from a [`std::io::Read`], results are values, and what is said about a file
//! depends only on its bytes and on public facts (the number of images, the classes).
//!
//! The path of a submission: [`predictions::read`] reduces any accepted format to the canonical [`Record`]; [`outcome::judge`]
//! compares it with the hidden [`Labels`] and keeps one bit per image and criterion; [`Outcome::tally`] counts the misses of a split.
//! Intervals, paired tests and tied ranks are in [`statistics`], the defence against overfitting the test set in [`ladder`].

pub mod classes;
mod csv;
pub mod format_error;
pub mod image_files;
pub mod images;
pub mod labels;
pub mod ladder;
pub mod leaks;
pub mod model_form;
pub mod npy;
pub mod outcome;
pub mod predictions;
pub mod record;
pub mod split;
pub mod statistics;
mod stream;

pub use classes::{Class, ClassEntry, ClassList, ClassListError};
pub use format_error::{At, FormatError, LineError};
pub use image_files::{ImageFile, PictureFile, Traits};
pub use images::{ImageList, ImageListError};
pub use labels::Labels;
pub use ladder::Ladder;
pub use model_form::ModelForm;
pub use outcome::{Bitmap, Outcome, Tally};
pub use predictions::{Expected, Format, Notice, Predictions};
pub use record::Record;

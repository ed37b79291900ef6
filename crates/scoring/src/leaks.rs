//! Whether a test set gives its labels away by names, order or file sizes.

use crate::classes::ClassList;
use crate::images::ImageList;
use crate::labels::Labels;

/// The sentence that says how the labels can be guessed, if they can.
pub fn finding(
    labels: &Labels,
    images: &ImageList,
    sizes: Option<&[u64]>,
    classes: &ClassList,
) -> Option<String> {
    let _ = (labels, images, sizes, classes);
    None
}

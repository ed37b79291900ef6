//! A challenge's classes among those of a longer list, on the command line.

use std::path::Path;

use anyhow::Context as _;
use referee_scoring::{ClassList, WiderClasses};

use crate::input;

/// The list in this file, which holds all of `classes`.
pub fn read(path: &Path, classes: &ClassList) -> anyhow::Result<WiderClasses> {
    let list = input::class_list(path)?;
    WiderClasses::new(list, classes)
        .with_context(|| format!("{} cannot be used", input::name(path)))
}

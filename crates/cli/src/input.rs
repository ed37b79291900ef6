//! The files that commands read: by their path, or `-` for stdin.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::Context as _;
use referee_scoring::ClassList;

pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether it can be read only once, and has no length before: stdin, or a pipe such as a shell makes of `<(…)`.
pub fn is_stream(path: &Path) -> bool {
    let is_pipe = || {
        path.metadata()
            .is_ok_and(|metadata| metadata.file_type().is_fifo())
    };
    is_stdin(path) || is_pipe()
}

/// What messages call the file.
pub fn name(path: &Path) -> String {
    if is_stdin(path) {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    }
}

/// # Errors
/// For a directory, which reading would only call unreadable.
pub fn refuse_directory(path: &Path) -> anyhow::Result<()> {
    let remedy = if path.join(crate::manifest::FILE_NAME).exists() {
        format!(
            "; `referee challenge check {}` checks a challenge",
            path.display()
        )
    } else {
        String::new()
    };
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a directory; give one file{remedy}",
        path.display()
    );
    Ok(())
}

pub fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    refuse_directory(path)?;
    let file = File::open(path).with_context(|| cannot_be_read(path))?;
    Ok(Box::new(file))
}

pub fn class_list(path: &Path) -> anyhow::Result<ClassList> {
    let mut bytes = Vec::new();
    open(path)?
        .read_to_end(&mut bytes)
        .with_context(|| cannot_be_read(path))?;
    ClassList::read(&bytes).with_context(|| format!("{} cannot be used", name(path)))
}

fn cannot_be_read(path: &Path) -> String {
    format!("{} cannot be read", name(path))
}

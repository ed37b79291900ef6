//! The files that commands read: by their path, or `-` for stdin.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::Context as _;
use referee_scoring::model_form::{DEEPSPEED, DISTRIBUTED, refuse_packaging};
use referee_scoring::predictions::refuse_by_leading_bytes;

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
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a directory; give one file{}",
        path.display(),
        remedy(path)
    );
    Ok(())
}

/// What to do with a directory, where it is one that tools write.
fn remedy(directory: &Path) -> String {
    let has = |name: &str| directory.join(name).exists();
    let names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let any = |found: fn(&str) -> bool| names.iter().find(|name| found(name));
    if has(crate::manifest::FILE_NAME) {
        return format!(
            "; `referee challenge check {}` checks a challenge",
            directory.display()
        );
    }
    if has("zero_to_fp32.py") {
        return format!(": {DEEPSPEED}");
    }
    if has(".metadata") || any(|name| name.ends_with(".distcp")).is_some() {
        return format!(": {DISTRIBUTED}");
    }
    if has("saved_model.pb") {
        return format!(
            ": this is TensorFlow's SavedModel; convert it with `python -m tf2onnx.convert --saved-model {} --output model.onnx`",
            directory.display()
        );
    }
    let index = any(|name| name.ends_with(".index.json"));
    if let Some(sentence) = index.and_then(|index| refuse_packaging(&[], Some(index))) {
        return format!(": {sentence}");
    }
    any(|name| {
        let extension = Path::new(name).extension();
        extension.is_some_and(|extension| extension == "safetensors" || extension == "onnx")
    })
    .map(|model| format!(", such as {}", directory.join(model).display()))
    .unwrap_or_default()
}

/// Names what is a model, or belongs to one, where predictions are expected; what the content shows besides, reading it says.
pub fn refuse_model(path: &Path) -> anyhow::Result<()> {
    refuse(path, |head, name| {
        let packaging = refuse_packaging(head, Some(name)).map(str::to_owned);
        packaging.or_else(|| refuse_by_leading_bytes(&[], Some(name)))
    })
}

/// Names what only stands for a model, or is a part of one, before it is sent.
pub fn refuse_part_of_model(path: &Path) -> anyhow::Result<()> {
    refuse(path, |head, name| {
        refuse_packaging(head, Some(name)).map(str::to_owned)
    })
}

/// What `sentence` says of a file's first bytes and its name; streams are not looked at.
fn refuse(path: &Path, sentence: fn(&[u8], &str) -> Option<String>) -> anyhow::Result<()> {
    if is_stream(path) || path.is_dir() {
        return Ok(());
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(1024).read_to_end(&mut head))
        .with_context(|| cannot_be_read(path))?;
    match sentence(&head, &name(path)) {
        Some(sentence) => anyhow::bail!("{}: {sentence}", name(path)),
        None => Ok(()),
    }
}

pub fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    refuse_directory(path)?;
    let file = File::open(path).with_context(|| cannot_be_read(path))?;
    Ok(Box::new(file))
}

pub fn text(path: &Path) -> anyhow::Result<String> {
    io::read_to_string(open(path)?).with_context(|| cannot_be_read(path))
}

fn cannot_be_read(path: &Path) -> String {
    format!("{} cannot be read", name(path))
}

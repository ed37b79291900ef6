use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::HumanBytes;
use referee_networks::checkpoint::{Checkpoint, StateDict};
use referee_networks::weights::{WeightsFile, reparametrised};
use referee_scoring::model_form::Architecture;

use crate::input;
use crate::output;
use crate::progress;

/// How many names of a kind are shown.
const SHOWN: usize = 5;

/// Convert a PyTorch checkpoint to safetensors, on your machine and without running what it holds
///
/// Reads what torch.save writes, old and new: tensors and the dicts that name them. Everything else in the file stays unread.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee convert resnet50.pth resnet50.safetensors --architecture resnet50"
)]
pub struct Convert {
    /// What torch.save wrote (.pth, .pt, .bin, .ckpt)
    checkpoint: PathBuf,
    /// The file to write; it must not be there yet
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Which state dict, where the file holds several, such as state_dict_ema
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Note the architecture in the file, and check that the tensors are those of it
    #[arg(long, value_name = "A")]
    architecture: Option<Architecture>,
}

impl Convert {
    pub fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.out.exists(),
            "{} is there already; give another name, or remove it",
            self.out.display()
        );
        input::refuse_directory(&self.checkpoint)?;
        let state_dict = Checkpoint::open(&self.checkpoint)
            .and_then(|checkpoint| checkpoint.state_dict(self.key.as_deref()))
            .with_context(|| format!("{} is not converted", self.checkpoint.display()))?;
        output::print(&found(&state_dict))?;
        if let Some(detail) = reparametrised(&state_dict.tensors.keys().map(String::as_str)) {
            output::warn(detail);
        }

        let bar = progress::transfer("writing", state_dict.bytes());
        let architecture = self.architecture.as_ref().map(ToString::to_string);
        let written = |bytes| bar.inc(bytes);
        let result = state_dict.write_safetensors(&self.out, architecture.as_deref(), written);
        bar.finish_and_clear();
        result?;
        output::print_line(&format!("wrote      {}", self.out.display()))?;
        compare(&self.out, self.architecture.as_ref())
    }
}

/// What was found, renamed and left out, a line each.
fn found(state_dict: &StateDict) -> String {
    let place = match state_dict.key.as_str() {
        "" => "at the top of the file".to_owned(),
        key => format!("under `{key}`"),
    };
    let tensors = state_dict.tensors.len();
    let mut lines = format!(
        "found      {tensors} tensors, {}, {place}\n",
        HumanBytes(state_dict.bytes())
    );
    let copied = state_dict
        .tensors
        .values()
        .filter(|tensor| !tensor.is_contiguous())
        .count();
    if copied > 0 {
        let _ = writeln!(
            lines,
            "reordered  {copied} tensors that did not lie in the order of their indices"
        );
    }
    let renamed = state_dict
        .renamed
        .iter()
        .map(|(old, new)| format!("{old} to {new}"));
    lines += &listed("renamed", renamed);
    let left_out = state_dict
        .left_out
        .iter()
        .map(|entry| format!("{} ({})", entry.name, entry.kind));
    lines + &listed("left out", left_out)
}

fn listed(label: &str, items: impl ExactSizeIterator<Item = String>) -> String {
    let count = items.len();
    if count == 0 {
        return String::new();
    }
    let mut shown: Vec<_> = items.take(SHOWN).collect();
    if count > SHOWN {
        shown.push("…".to_owned());
    }
    format!("{label:<9}  {count}: {}\n", shown.join(", "))
}

/// Says what the server will say of the file as that architecture, or which it could be given as.
fn compare(file: &Path, architecture: Option<&Architecture>) -> anyhow::Result<()> {
    let weights = WeightsFile::open(file)?;
    let Some(architecture) = architecture else {
        return match weights.architecture() {
            Some(fits) => output::print_line(&format!("fits       --architecture {fits}")),
            None => Ok(()),
        };
    };
    match weights.misfit(&weights.network(architecture)?) {
        None => output::print_line(&format!(
            "checked    these are the tensors of {architecture}"
        )),
        Some(misfit) => {
            output::warn(&format!(
                "{misfit}. The file says {architecture} all the same"
            ));
            Ok(())
        }
    }
}

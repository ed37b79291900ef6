//! Which tensor of a file is which parameter of a network.

use std::collections::HashMap;

use referee_scoring::Notice;

use super::error::{Result, WeightsError};
use super::file::TensorInfo;
use super::{densenet, foreign, leftovers, timm};
use crate::graph::{Network, Parameter, ParameterKind};

/// What wrappers put before every name: data parallelism, `torch.compile`, Lightning.
const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// How many names of a kind a sentence lists.
const LISTED: usize = 5;

/// A network's parameters beside a file's tensors.
#[derive(Debug)]
pub(super) struct Matching<'a> {
    found: Vec<(&'a Parameter, &'a TensorInfo)>,
    missing: Vec<&'a Parameter>,
    misshapen: Vec<(&'a Parameter, &'a TensorInfo)>,
    surplus: Vec<&'a str>,
    auxiliary: Vec<&'a str>,
    training_state: Vec<&'a str>,
    /// What was stripped from the names, such as `module._orig_mod.`
    prefix: String,
    stripped: usize,
}

/// One way to read a file's names.
struct Reading<'a> {
    prefix: String,
    /// The name without the prefix, and the tensor.
    names: Vec<(&'a str, &'a TensorInfo)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Naming {
    Torchvision,
    Timm,
}

impl<'a> Matching<'a> {
    /// Takes the reading of the names by which the most parameters are found, the plainest of equals.
    pub(super) fn new(tensors: &'a [TensorInfo], network: &'a Network) -> Self {
        let parameters = by_name(network);
        let mut best: Option<Self> = None;
        for reading in readings(tensors) {
            for naming in [Naming::Torchvision, Naming::Timm] {
                let matching = Self::by(&reading, naming, network, &parameters);
                let better = |best: &Self| matching.matched() > best.matched();
                if best.as_ref().is_none_or(better) {
                    best = Some(matching);
                }
            }
        }
        best.expect("the first reading is the names as they are")
    }

    fn by(
        reading: &Reading<'a>,
        naming: Naming,
        network: &'a Network,
        parameters: &HashMap<&'a str, &'a Parameter>,
    ) -> Self {
        let mut tensors: HashMap<&str, &TensorInfo> = HashMap::new();
        let (mut found, mut misshapen) = (Vec::new(), Vec::new());
        let (mut surplus, mut auxiliary, mut training_state) = (Vec::new(), Vec::new(), Vec::new());
        for (name, tensor) in &reading.names {
            let renamed = match naming {
                Naming::Torchvision => densenet::todays_name(name),
                Naming::Timm => timm::torchvision_name(network.name(), name),
            };
            let parameter = parameters.get(renamed.as_deref().unwrap_or(name));
            // Of two tensors that would be the same parameter, the second is one too many.
            let parameter =
                parameter.filter(|parameter| !tensors.contains_key(parameter.name.as_str()));
            match parameter {
                Some(parameter) => {
                    tensors.insert(&parameter.name, tensor);
                    if tensor.shape == parameter.dims
                        || naming == Naming::Timm
                            && timm::is_convolution(name)
                            && is_flattened(&tensor.shape, &parameter.dims)
                    {
                        found.push((*parameter, *tensor));
                    } else {
                        misshapen.push((*parameter, *tensor));
                    }
                }
                None if name.ends_with("num_batches_tracked") => {}
                None if is_auxiliary(name) => auxiliary.push(tensor.name.as_str()),
                None if is_training_state(name) => training_state.push(tensor.name.as_str()),
                None => surplus.push(tensor.name.as_str()),
            }
        }
        let missing = network.parameters().iter();
        let missing = missing.filter(|parameter| !tensors.contains_key(parameter.name.as_str()));
        Self {
            found,
            missing: missing.collect(),
            misshapen,
            surplus,
            auxiliary,
            training_state,
            prefix: reading.prefix.clone(),
            stripped: reading
                .names
                .iter()
                .filter(|(name, tensor)| name.len() < tensor.name.len())
                .count(),
        }
    }

    fn matched(&self) -> usize {
        self.found.len() + self.misshapen.len()
    }

    pub(super) fn found(&self) -> &[(&'a Parameter, &'a TensorInfo)] {
        &self.found
    }

    /// The shape of the tensor that is the parameter `name`, whether it fits or not.
    pub(super) fn shape(&self, name: &str) -> Option<&'a [usize]> {
        let mut pairs = self.found.iter().chain(&self.misshapen);
        let pair = pairs.find(|(parameter, _)| parameter.name == name)?;
        Some(&pair.1.shape)
    }

    /// The length of the file's head.
    pub(super) fn classes(&self, network: &Network) -> Option<usize> {
        self.shape(&head(network)?.name)?.first().copied()
    }

    /// Whether the file holds the network, no more and no less.
    pub(super) fn check(&self, network: &Network, classes: usize) -> Result<()> {
        if self.missing.is_empty() && self.misshapen.is_empty() && self.surplus.is_empty() {
            return Ok(());
        }
        if let Some(error) = self.wrong_head(network, classes) {
            return Err(error);
        }
        let mut differences = Vec::new();
        let missing = self.missing.iter().map(|parameter| parameter.name.clone());
        differences.extend(listed(missing, "missing"));
        let misshapen = self.misshapen.iter().map(|(parameter, tensor)| {
            format!(
                "{} is {}, expected {}",
                tensor.name,
                shape(&tensor.shape),
                shape(&parameter.dims)
            )
        });
        differences.extend(listed(misshapen, "of another shape"));
        let surplus = self.surplus.iter().map(|name| (*name).to_owned());
        differences.extend(listed(surplus, "not the network's"));
        Err(WeightsError::Mismatch {
            network: network.name().to_owned(),
            differences,
            remark: self.remark(network),
        })
    }

    /// Where nothing differs but the length of the head: the sentence about that.
    fn wrong_head(&self, network: &Network, classes: usize) -> Option<WeightsError> {
        let head = head(network)?;
        let module = head.name.rsplit_once('.').map_or("", |(module, _)| module);
        let is_head = |(parameter, tensor): &(&Parameter, &TensorInfo)| {
            let same_module = parameter
                .name
                .rsplit_once('.')
                .map_or("", |(module, _)| module)
                == module;
            same_module && tensor.shape.get(1..) == parameter.dims.get(1..)
        };
        let only_head = self.missing.is_empty()
            && self.surplus.is_empty()
            && self.misshapen.iter().all(is_head);
        let (_, tensor) = self
            .misshapen
            .iter()
            .find(|(parameter, _)| parameter.name == head.name)?;
        match tensor.shape.first() {
            _ if !only_head => None,
            Some(&columns) if columns == classes + 1 => {
                Some(WeightsError::Background { columns, classes })
            }
            _ => Some(WeightsError::Head {
                name: tensor.name.clone(),
                found: shape(&tensor.shape),
                classes,
            }),
        }
    }

    fn remark(&self, network: &Network) -> String {
        if let Some(reparametrised) = leftovers::reparametrised(&self.surplus.iter().copied()) {
            return format!("; {reparametrised}");
        }
        if self.missing.is_empty() && self.misshapen.is_empty() {
            let own = network.parameters().iter();
            let own = own.map(|parameter| parameter.name.as_str());
            if let Some(line) = leftovers::without(&self.surplus, own) {
                return format!("; {line}");
            }
        }
        let unknown = self.surplus.iter().copied();
        match foreign::library(
            unknown
                .clone()
                .map(|name| name.strip_prefix(&self.prefix).unwrap_or(name)),
        ) {
            Some(library) => format!(
                ". The names look like those of {library}: is it another network? Export it to ONNX, or rename the tensors"
            ),
            None => String::new(),
        }
    }

    pub(super) fn notices(&self) -> Vec<Notice> {
        let notice = |code: &str, detail| Notice {
            code: code.to_owned(),
            detail,
        };
        let ignored = |names: &[&str], code, what| {
            let listed = listed(names.iter().map(|name| (*name).to_owned()), what)?;
            Some(notice(code, format!("{listed}; they are ignored")))
        };
        let prefix = (self.stripped > 0).then(|| {
            let detail = format!(
                "`{}` was stripped from the names of {} tensors",
                self.prefix, self.stripped
            );
            notice("prefix_stripped", detail)
        });
        let auxiliary = ignored(
            &self.auxiliary,
            "auxiliary_ignored",
            "part of auxiliary heads, which only training uses",
        );
        let state = ignored(
            &self.training_state,
            "training_state_ignored",
            "the state of an optimizer or of averaged weights",
        );
        [prefix, auxiliary, state].into_iter().flatten().collect()
    }
}

/// What a wrapper that is not known put before every name, such as `backbone.`, where without it the tensors are those of `network`.
pub(super) fn unknown_prefix(tensors: &[TensorInfo], network: &Network) -> Option<String> {
    let reading = readings(tensors).pop()?;
    let first = reading.names.iter().find_map(|(name, _)| {
        let is_other = is_auxiliary(name) || is_training_state(name);
        name.split_once('.').filter(|_| !is_other)
    });
    let prefix = format!("{}.", first?.0);
    let names = reading.names.iter();
    let cut = Reading {
        names: names
            .map(|(name, tensor)| (name.strip_prefix(&prefix).unwrap_or(name), *tensor))
            .collect(),
        prefix: format!("{}{prefix}", reading.prefix),
    };
    let parameters = by_name(network);
    [Naming::Torchvision, Naming::Timm]
        .map(|naming| Matching::by(&cut, naming, network, &parameters))
        .into_iter()
        .find(|matching| matching.missing.is_empty() && matching.surplus.is_empty())
        .map(|_| cut.prefix)
}

fn by_name(network: &Network) -> HashMap<&str, &Parameter> {
    let parameters = network.parameters().iter();
    parameters
        .map(|parameter| (parameter.name.as_str(), parameter))
        .collect()
}

/// The names as they are, and without one, two… prefixes. A name that does not have the prefix stays.
fn readings(tensors: &[TensorInfo]) -> Vec<Reading<'_>> {
    let plain = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let mut readings = vec![Reading {
        prefix: String::new(),
        names: plain.collect(),
    }];
    // A prefix that half of the names have, those of a complete averaged copy and the like left out.
    let next = |reading: &Reading<'_>| {
        let names = reading.names.iter().map(|(name, _)| *name);
        let names: Vec<_> = names
            .filter(|name| !is_auxiliary(name) && !is_training_state(name))
            .collect();
        PREFIXES.into_iter().find(|prefix| {
            let having = names.iter().filter(|name| name.starts_with(prefix));
            2 * having.count() > names.len()
        })
    };
    while let Some(prefix) = readings.last().and_then(next) {
        let last = readings.last().expect("there is one");
        let names = last.names.iter();
        let names =
            names.map(|(name, tensor)| (name.strip_prefix(prefix).unwrap_or(name), *tensor));
        readings.push(Reading {
            prefix: format!("{}{prefix}", last.prefix),
            names: names.collect(),
        });
    }
    readings
}

/// The weights of the layer that makes the logits: the last trainable parameter of two dimensions or more.
fn head(network: &Network) -> Option<&Parameter> {
    let parameters = network.parameters().iter();
    parameters
        .rev()
        .find(|parameter| parameter.kind == ParameterKind::Trainable && parameter.dims.len() >= 2)
}

/// The number of classes that a network tells apart.
pub(super) fn classes(network: &Network) -> usize {
    let head = head(network).and_then(|head| head.dims.first());
    head.copied().unwrap_or(0)
}

/// Whether a convolution's weights `[out, channels, height, width]` are a linear layer's `[out, in]` in the same order. Windows are
/// square, by which `[out, height, width, channels]` is told apart.
fn is_flattened(convolution: &[usize], linear: &[usize]) -> bool {
    match (convolution, linear) {
        ([rows, channels, height, width], [out, inputs]) => {
            rows == out && height == width && channels * height * width == *inputs
        }
        _ => false,
    }
}

/// GoogLeNet's `aux1.…`, Inception's `AuxLogits.…`.
fn is_auxiliary(name: &str) -> bool {
    name.get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("aux"))
}

/// What a training script keeps beside the model, by its first or last name.
fn is_training_state(name: &str) -> bool {
    const FIRST: [&str; 9] = [
        "optimizer",
        "optim",
        "scheduler",
        "lr_scheduler",
        "scaler",
        "ema",
        "ema_model",
        "model_ema",
        "state_dict_ema",
    ];
    const LAST: [&str; 8] = [
        "n_averaged",
        "exp_avg",
        "exp_avg_sq",
        "max_exp_avg_sq",
        "momentum_buffer",
        "square_avg",
        "acc_delta",
        "grad_avg",
    ];
    let first = name.split('.').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    FIRST.contains(&first) || LAST.contains(&last)
}

/// `[21843,2048]`
fn shape(dims: &[usize]) -> String {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    format!("[{}]", dims.join(","))
}

/// `7 are missing: a, b, c, d, e, …`; nothing for none.
fn listed(names: impl ExactSizeIterator<Item = String>, what: &str) -> Option<String> {
    let count = names.len();
    let mut names: Vec<_> = names.take(LISTED).collect();
    if count > names.len() {
        names.push("…".to_owned());
    }
    let verb = if count == 1 { "is" } else { "are" };
    (count > 0).then(|| format!("{count} {verb} {what}: {}", names.join(", ")))
}

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, View};

use super::Checkpoint;
use super::container::Container;
use super::error::{CheckpointError, Result};
use super::object::{Object, ObjectId, Opaque};
use super::tensor::StoredTensor;
use crate::weights::densenet;

/// Training scripts put the state dict at the top, or under a key, or under a key of a wrapper's dict.
const DEEPEST: usize = 2;

/// More dicts with tensors than anybody keeps in a file; the rest is not looked at.
const MOST_CANDIDATES: usize = 1000;

/// What is written may be larger than the file, where tensors share a storage; but not without bound.
const MOST_TIMES_LARGER: usize = 8;

/// The tensors of a model, by name.
#[derive(Debug)]
pub struct StateDict {
    /// Where it was found: `state_dict`, `model.ema`; empty at the top of the file.
    pub key: String,
    pub tensors: BTreeMap<String, StoredTensor>,
    pub left_out: Vec<LeftOut>,
    /// The keys of 2017 and today's names of the same tensors.
    pub renamed: Vec<(String, String)>,
}

/// An entry that is no tensor.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub name: String,
    /// `an int`, `a dict`.
    pub kind: String,
}

/// A dict with tensors in it.
struct Candidate {
    key: String,
    dict: ObjectId,
    /// The dicts that it lies in.
    inside: Vec<ObjectId>,
    tensors: usize,
}

impl Checkpoint {
    /// The keys under which state dicts lie, each with its number of tensors.
    pub fn state_dicts(&self) -> Vec<(String, usize)> {
        let candidates = self.candidates().into_iter();
        candidates
            .map(|candidate| (candidate.key, candidate.tensors))
            .collect()
    }

    /// The state dict under `key`, or the only one.
    ///
    /// # Errors
    /// Where there are several and none is chosen, or none at all; where a tensor in it is damaged or of a kind that
    /// safetensors has not.
    pub fn state_dict(&self, key: Option<&str>) -> Result<StateDict> {
        let mut candidates = self.candidates();
        let chosen = match key {
            Some(key) => candidates.iter().position(|candidate| candidate.key == key),
            None if candidates.len() == 1 => Some(0),
            None => None,
        };
        match chosen {
            Some(chosen) => self.read_state_dict(candidates.swap_remove(chosen)),
            None => Err(self.none_chosen(key, &candidates)),
        }
    }

    fn none_chosen(&self, key: Option<&str>, candidates: &[Candidate]) -> CheckpointError {
        let found = listed(candidates);
        match key {
            _ if candidates.is_empty() => self.no_state_dict(),
            Some(key) => CheckpointError::NoKey {
                key: key.to_owned(),
                found,
            },
            None => CheckpointError::Several { found },
        }
    }

    fn no_state_dict(&self) -> CheckpointError {
        let Container { objects, root, .. } = &self.container;
        let values = objects.entries(*root).map(|(_, value)| value);
        let module = std::iter::once(*root)
            .chain(values)
            .find_map(|object| self.module_class(object));
        if let Some(class) = module {
            return CheckpointError::WholeModule { class };
        }
        let keys: Vec<_> = objects
            .entries(*root)
            .map(|(key, _)| key)
            .take(10)
            .collect();
        let found = match (objects.get(*root), keys.as_slice()) {
            (Object::Dict(_), []) => "an empty dict".to_owned(),
            (Object::Dict(_), keys) => format!("a dict with {}", keys.join(", ")),
            (other, _) => other.kind(),
        };
        CheckpointError::NoStateDict { found }
    }

    /// The class of an object that is filled as `torch.nn.Module` fills itself.
    fn module_class(&self, object: ObjectId) -> Option<String> {
        let Object::Opaque(Opaque { class, state }) = self.container.objects.get(object) else {
            return None;
        };
        let mut state = self.container.objects.entries((*state)?);
        state
            .any(|(name, _)| name == "_modules")
            .then(|| class.clone())
    }

    /// The dicts that hold tensors under names. Of two that lie in each other it is the one with more: a training script puts
    /// its best accuracy, a tensor, beside the state dict.
    fn candidates(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = VecDeque::from([(String::new(), self.container.root, Vec::new())]);
        while let Some((key, dict, inside)) = waiting.pop_front() {
            if !seen.insert(dict) || found.len() == MOST_CANDIDATES {
                continue;
            }
            let entries = self.container.objects.entries(dict);
            if inside.len() < DEEPEST {
                let within: Vec<_> = inside.iter().copied().chain([dict]).collect();
                let inner = entries.filter(|(name, _)| !name.starts_with("optimizer"));
                waiting.extend(inner.map(|(name, value)| {
                    let key = match key.as_str() {
                        "" => name.to_owned(),
                        key => format!("{key}.{name}"),
                    };
                    (key, value, within.clone())
                }));
            }
            let tensors = self.count_tensors(dict);
            if tensors > 0 {
                found.push(Candidate {
                    key,
                    dict,
                    inside,
                    tensors,
                });
            }
        }
        let outdone = |candidate: &Candidate| {
            found.iter().any(|other| {
                other.inside.contains(&candidate.dict) && other.tensors > candidate.tensors
                    || candidate.inside.contains(&other.dict) && other.tensors >= candidate.tensors
            })
        };
        let kept: Vec<_> = found.iter().map(|candidate| !outdone(candidate)).collect();
        let kept = found.into_iter().zip(kept);
        kept.filter_map(|(candidate, kept)| kept.then_some(candidate))
            .collect()
    }

    /// Those of one dimension or more.
    fn count_tensors(&self, dict: ObjectId) -> usize {
        let objects = &self.container.objects;
        let is_array = |value| match objects.get(value) {
            Object::Tensor(spec) => !spec.shape.is_empty(),
            other => is_other_tensor(other),
        };
        let entries = self.entries(dict);
        entries.values().filter(|value| is_array(**value)).count()
    }

    /// As in Python, the last entry of a name counts.
    fn entries(&self, dict: ObjectId) -> HashMap<&str, ObjectId> {
        self.container.objects.entries(dict).collect()
    }

    fn read_state_dict(&self, Candidate { key, dict, .. }: Candidate) -> Result<StateDict> {
        let objects = &self.container.objects;
        let mut state_dict = StateDict {
            key,
            tensors: BTreeMap::new(),
            left_out: Vec::new(),
            renamed: Vec::new(),
        };
        let entries = self.entries(dict);
        for (name, value) in objects.entries(dict) {
            if entries[name] != value {
                continue;
            }
            let wrong = |detail| CheckpointError::Tensor {
                name: name.to_owned(),
                detail,
            };
            match objects.get(value) {
                Object::Tensor(spec) => {
                    let tensor = StoredTensor::new(&self.container, spec).map_err(wrong)?;
                    let new = densenet::todays_name(name);
                    if let Some(new) = &new {
                        state_dict.renamed.push((name.to_owned(), new.clone()));
                    }
                    state_dict
                        .tensors
                        .insert(new.unwrap_or_else(|| name.to_owned()), tensor);
                }
                other if is_other_tensor(other) => {
                    return Err(wrong(format!(
                        "{} is quantised, sparse or of another kind that safetensors has not; convert the model before it was made so, or export it to ONNX",
                        other.kind()
                    )));
                }
                other => state_dict.left_out.push(LeftOut {
                    name: name.to_owned(),
                    kind: other.kind(),
                }),
            }
        }
        self.check_size(&state_dict)?;
        Ok(state_dict)
    }

    fn check_size(&self, state_dict: &StateDict) -> Result<()> {
        let most = self.length.saturating_mul(MOST_TIMES_LARGER);
        let bytes = state_dict.bytes();
        if bytes > most as u64 {
            return Err(CheckpointError::Limit(format!(
                "its tensors overlap so much that they would fill {bytes} bytes, {MOST_TIMES_LARGER} times the file"
            )));
        }
        Ok(())
    }
}

/// A tensor that none of the functions known here makes.
fn is_other_tensor(object: &Object) -> bool {
    matches!(object, Object::Opaque(opaque) if opaque.class.starts_with("torch._utils._rebuild"))
}

fn listed(candidates: &[Candidate]) -> String {
    let listed: Vec<_> = candidates
        .iter()
        .map(|Candidate { key, tensors, .. }| format!("{key} ({tensors} tensors)"))
        .collect();
    listed.join(", ")
}

impl StateDict {
    /// Of all tensors, when contiguous.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().fold(0, |sum: u64, tensor| {
            sum.saturating_add(tensor.bytes() as u64)
        })
    }

    /// Writes the tensors, contiguous, as `safetensors.torch.save_file` does, one at a time: the model is never held as a whole. The
    /// file appears under its name once it is complete, and whoever the umask lets may read it. `written` is told the bytes of each
    /// tensor.
    pub fn write_safetensors(
        &self,
        path: &Path,
        architecture: Option<&str>,
        written: impl Fn(u64),
    ) -> Result<()> {
        let architecture = architecture.map(|name| ("architecture".to_owned(), name.to_owned()));
        let format = ("format".to_owned(), "pt".to_owned());
        let metadata = architecture.into_iter().chain([format]).collect();
        let counted = self.tensors.iter().map(|(name, tensor)| {
            let written = &written;
            (name, Counted { tensor, written })
        });
        let complete = || {
            let directory = path.parent().unwrap_or(Path::new(""));
            // Made by the umask, which the file that takes its place is not.
            let part = tempfile::Builder::new()
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(directory)?
                .into_temp_path();
            let permissions = fs::metadata(&part)?.permissions();
            safetensors::serialize_to_file(counted, Some(metadata), &part)?;
            fs::set_permissions(&part, permissions)?;
            part.persist(path).map_err(|failed| failed.error)?;
            Ok(())
        };
        complete().map_err(|source: SafeTensorError| CheckpointError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// A tensor that says when it is written.
struct Counted<'a, F> {
    tensor: &'a StoredTensor,
    written: &'a F,
}

impl<F: Fn(u64)> View for Counted<'_, F> {
    fn dtype(&self) -> Dtype {
        self.tensor.dtype()
    }

    fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (self.written)(self.data_len() as u64);
        self.tensor.contiguous()
    }

    fn data_len(&self) -> usize {
        self.tensor.bytes()
    }
}

//! What tools leave among a model's tensors, and the line of Python that saves the model without it.

use std::collections::BTreeSet;

/// How many tensors are named one by one.
const NAMED: usize = 5;

/// The last names of what counters of operations, `torch.ao` and `Transformer Engine` leave.
const LAST: [&str; 4] = [
    "total_ops",
    "total_params",
    "_extra_state",
    "fake_quant_enabled",
];

/// Where weights are kept as what they are computed from: what did it, and the call that puts them back.
pub fn reparametrised<'n>(names: &(impl Iterator<Item = &'n str> + Clone)) -> Option<&'static str> {
    let has = |last: &str| names.clone().any(|name| name.ends_with(last));
    let within = |part: &str| names.clone().any(|name| name.contains(part));
    if within("lora_")
        || names
            .clone()
            .any(|name| name.starts_with("base_model.model."))
    {
        Some(
            "these are adapters (LoRA and the like), without which the network is the one from before training: before saving, put them into              the weights with model = model.merge_and_unload() of peft, or with loralib, model.eval() and then save \
             {k: v for k, v in model.state_dict().items() if \"lora_\" not in k}",
        )
    } else if within(".quant_state.") || has(".absmax") {
        Some("the weights are quantised by bitsandbytes: before saving, call model.dequantize()")
    } else if has("_flat_param") {
        Some(
            "the weights are flattened by FSDP: save \
             torch.distributed.checkpoint.state_dict.get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))",
        )
    } else if within("_checkpoint_wrapped_module.") {
        Some(
            "the layers are wrapped in the names: save \
             {k.replace(\"_checkpoint_wrapped_module.\", \"\"): v for k, v in state_dict.items()}",
        )
    } else if within(".parametrizations.") || within("parametrizations.weight.") {
        Some(
            "the weights are parametrised (weight norm, spectral norm and the like): before saving, call [torch.nn.utils.parametrize.\
             remove_parametrizations(m, n) for m in model.modules() if torch.nn.utils.parametrize.is_parametrized(m) \
             for n in list(m.parametrizations)]",
        )
    } else if has("_orig") && has("_mask") {
        Some(
            "the weights are pruned: before saving, call [torch.nn.utils.prune.remove(m, n.removesuffix(\"_orig\")) \
             for m in model.modules() for n, _ in list(m.named_parameters(recurse=False)) if n.endswith(\"_orig\")]",
        )
    } else if has("weight_orig") && has("weight_u") {
        Some(
            "the weights have spectral norm: before saving, call [torch.nn.utils.remove_spectral_norm(m) \
             for m in model.modules() if hasattr(m, \"weight_orig\")]",
        )
    } else if has("weight_g") && has("weight_v") {
        Some(
            "the weights have weight norm: before saving, call [torch.nn.utils.remove_weight_norm(m) \
             for m in model.modules() if hasattr(m, \"weight_g\")]",
        )
    } else {
        None
    }
}

/// The line that saves the tensors without `surplus`, of which the network has none; `own` are the network's names.
pub(super) fn without<'n>(surplus: &[&str], own: impl Iterator<Item = &'n str>) -> Option<String> {
    let first = |name: &str| name.split_once('.').map(|(first, _)| format!("{first}."));
    let own: BTreeSet<String> = own.filter_map(first).collect();
    let (mut last_names, mut prefixes, mut names) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for name in surplus {
        let last = name.rsplit('.').next().unwrap_or_default();
        if LAST.contains(&last) {
            last_names.insert(last.to_owned());
        } else if let Some(prefix) = first(name).filter(|prefix| !own.contains(prefix)) {
            prefixes.insert(prefix);
        } else {
            names.insert((*name).to_owned());
        }
    }
    if prefixes.len() > NAMED || names.len() > NAMED {
        return None;
    }
    let listed = |names: &BTreeSet<String>| {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        match quoted.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(", ")),
        }
    };
    let mut conditions = Vec::new();
    if !last_names.is_empty() {
        conditions.push(format!("k.endswith({})", listed(&last_names)));
    }
    if !prefixes.is_empty() {
        conditions.push(format!("k.startswith({})", listed(&prefixes)));
    }
    if names.len() == 1 {
        conditions.push(format!("k == {}", listed(&names)));
    } else if !names.is_empty() {
        conditions.push(format!("k in {}", listed(&names)));
    }
    let condition = match conditions.as_slice() {
        [] => return None,
        [only] => only.clone(),
        several => format!("({})", several.join(" or ")),
    };
    Some(format!(
        "leave them out: save {{k: v for k, v in state_dict.items() if not {condition}}}"
    ))
}

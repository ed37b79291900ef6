//! The names that DenseNet's tensors had in torchvision until 2017, and still have in the weights that it offers.

/// `features.denseblock1.denselayer1.norm.1.weight`, as it is called since modules' names may not hold dots:
/// `features.denseblock1.denselayer1.norm1.weight` (`torchvision.models.densenet._load_state_dict`).
///
/// `None` for every other name.
pub(crate) fn todays_name(name: &str) -> Option<String> {
    let (before, tensor) = name.rsplit_once('.')?;
    if !matches!(tensor, "weight" | "bias" | "running_mean" | "running_var") {
        return None;
    }
    let (layer, number) = before.rsplit_once('.')?;
    let (block, kind) = layer.rsplit_once('.')?;
    let (_, dense_layer) = block.rsplit_once('.').unwrap_or(("", block));
    let digits = dense_layer.strip_prefix("denselayer")?;
    let old = matches!(kind, "norm" | "relu" | "conv")
        && matches!(number, "1" | "2")
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    old.then(|| format!("{layer}{number}.{tensor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_old_names_change() {
        let old = "features.denseblock1.denselayer12.norm.1.running_mean";
        let new = "features.denseblock1.denselayer12.norm1.running_mean";
        assert_eq!(todays_name(old).as_deref(), Some(new));
        for name in [
            new,
            "features.norm0.weight",
            "conv.1.weight",
            "denselayer1.conv.3.weight",
            "denselayer.conv.1.weight",
            "weight",
        ] {
            assert_eq!(todays_name(name), None, "{name}");
        }
    }
}

//! timm's names of the networks that both libraries have. The residual networks and DenseNet are called the same in both.

/// torchvision's name of the tensor that timm calls `name` in the network `architecture`; `None` where timm has no such tensor, or
/// calls it the same.
pub(super) fn torchvision_name(architecture: &str, name: &str) -> Option<String> {
    let (module, tensor) = name.rsplit_once('.')?;
    let ours = match architecture {
        "mobilenet_v2" => mobilenet_v2(module)?,
        vgg if vgg.starts_with("vgg") => match module {
            "pre_logits.fc1" => "classifier.0".to_owned(),
            "pre_logits.fc2" => "classifier.3".to_owned(),
            "head.fc" => "classifier.6".to_owned(),
            _ => return None,
        },
        _ => return None,
    };
    Some(format!("{ours}.{tensor}"))
}

/// Whether timm runs as a convolution what is a linear layer here: the first two of VGG's classifier.
pub(super) fn is_convolution(name: &str) -> bool {
    matches!(name, "pre_logits.fc1.weight" | "pre_logits.fc2.weight")
}

/// `blocks.{stage}.{block}.{layer}` is `features.{place}.conv.{layer's place}`.
fn mobilenet_v2(module: &str) -> Option<String> {
    /// The place of each stage's first block among `features`.
    const FIRST: [usize; 7] = [1, 2, 4, 7, 11, 14, 17];
    let ours = match module {
        "conv_stem" => "features.0.0".to_owned(),
        "bn1" => "features.0.1".to_owned(),
        "conv_head" => "features.18.0".to_owned(),
        "bn2" => "features.18.1".to_owned(),
        "classifier" => "classifier.1".to_owned(),
        block => {
            let mut parts = block.strip_prefix("blocks.")?.split('.');
            let stage: usize = parts.next()?.parse().ok()?;
            let block: usize = parts.next()?.parse().ok()?;
            let layer = match (stage, parts.next()?) {
                // The first block does not expand.
                (0, "conv_pw") => "1",
                (0, "conv_dw") | (_, "conv_pw") => "0.0",
                (_, "bn1") => "0.1",
                (_, "conv_dw") => "1.0",
                (0, "bn2") | (_, "conv_pwl") => "2",
                (_, "bn2") => "1.1",
                (_, "bn3") => "3",
                _ => return None,
            };
            format!(
                "features.{}.conv.{layer}",
                FIRST.get(stage)?.checked_add(block)?
            )
        }
    };
    Some(ours)
}

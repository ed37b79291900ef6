//! Whose names a file has that fits no network here.

/// Beginnings of names, and the library whose networks have them.
const NAMINGS: [(&str, &[&str]); 5] = [
    (
        "timm",
        &[
            "conv_stem.",
            "blocks.",
            "stem.",
            "stages.",
            "patch_embed.",
            "pre_logits.",
            "head.fc.",
            "cls_token",
        ],
    ),
    (
        "Hugging Face's transformers",
        &[
            "resnet.embedder.",
            "resnet.encoder.",
            "vit.",
            "convnext.",
            "mobilenet_v2.",
            "swin.",
            "deit.",
            "regnet.",
        ],
    ),
    ("OpenMMLab", &["backbone."]),
    ("Detectron2", &["backbone.bottom_up.", "res2.", "res3."]),
    (
        "TensorFlow or Keras",
        &["resnet_model/", "conv1_conv/", "predictions/"],
    ),
];

/// The library that most of the names look like, if any.
pub(super) fn library<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let fitting = |beginnings: &[&str]| {
        let fits = |name: &&str| {
            beginnings
                .iter()
                .any(|beginning| name.starts_with(beginning))
        };
        names.clone().filter(fits).count()
    };
    let counted = NAMINGS.map(|(library, beginnings)| (fitting(beginnings), library));
    let (most, library) = counted.into_iter().max_by_key(|(count, _)| *count)?;
    (2 * most > names.count()).then_some(library)
}

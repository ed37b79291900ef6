//! Which test images are public: drawn once per challenge with a secret key, so that nobody can compute the split.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::labels::Labels;
use crate::outcome::Bitmap;

/// How many of `images` test images are public: `fraction` of them, rounded to the nearest, halves up.
///
/// `fraction` lies in [0, 1]; values outside count as the nearer end.
pub fn public_count(fraction: f64, images: u32) -> u32 {
    let count = (fraction.clamp(0.0, 1.0) * f64::from(images)).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= count <= images, which is a u32"
    )]
    let count = count as u32;
    count
}

/// Why a challenge of so many images cannot be split by `fraction`, as a sentence: a side without images has no error.
pub fn fault(fraction: f64, images: u32) -> Option<String> {
    let public = public_count(fraction, images);
    let (side, remedy) = if public == 0 {
        ("public", "choose a larger one")
    } else if public == images && fraction < 1.0 {
        (
            "private",
            "choose a smaller one, or 1 for no private images",
        )
    } else {
        return None;
    };
    Some(format!(
        "public_fraction {fraction} of {images} images leaves none of them {side}; {remedy}"
    ))
}

/// Whether no submission could be scored by `labels` so split: a side without a labelled image has no error. Which side is
/// not said, as that would tell where the labelled images are.
pub fn leaves_a_side_unlabelled(labels: &Labels, public: &Bitmap, fraction: f64) -> bool {
    let is_empty = |side: bool| {
        let mut images = labels.iter().enumerate();
        !images.any(|(image, set)| public.get(image) == side && !set.is_empty())
    };
    is_empty(true) || fraction < 1.0 && is_empty(false)
}

/// The sentence for labels by which nothing can be scored.
pub const NO_LABEL: &str = "every image is skipped; at least one needs a label";

/// The public images: the first [`public_count`] ordinals in the order of HMAC-SHA256(`key`, ordinal as 4 bytes big-endian).
pub fn choose(key: &[u8], fraction: f64, images: u32) -> Bitmap {
    let keyed = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    let mut order: Vec<([u8; 32], u32)> = (0..images)
        .map(|ordinal| {
            let mut mac = keyed.clone();
            mac.update(&ordinal.to_be_bytes());
            (mac.finalize().into_bytes().into(), ordinal)
        })
        .collect();
    order.sort_unstable();
    let mut public = Bitmap::new(images as usize);
    for &(_, ordinal) in order.iter().take(public_count(fraction, images) as usize) {
        public.set(ordinal as usize, true);
    }
    public
}

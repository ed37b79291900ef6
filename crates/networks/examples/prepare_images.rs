//! Prepares a test set and writes the pixels as NPY uint8 `[N,H,W,C]`: `prepare_images IMAGES RECIPE CHANNELS OUT.npy`.
//!
//! For `scripts/lib/compare_images.py`, which compares them with Pillow and torchvision. CHANNELS is the network's: 1 or 3.

use std::path::Path;

use referee_networks::images::{DecodedOnDemand, Geometry, Pixels as _, TestSet};
use referee_scoring::model_form::{ImageInput, Recipe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, images, recipe, channels, out] = arguments.as_slice() else {
        return Err("expected IMAGES RECIPE CHANNELS OUT.npy".into());
    };
    let input = ImageInput {
        channels: Some(channels.parse()?),
        size: None,
        raw: false,
        image: None,
    };
    let preprocessing = recipe.parse::<Recipe>()?.resolve(input)?;
    let set = TestSet::open(Path::new(images))?;
    let pixels = DecodedOnDemand::new(&set, Geometry::of(&preprocessing))?;
    let header = referee_scoring::npy::header("|u1", &pixels.shape());
    let prepared = pixels.read(0..set.len())?;
    std::fs::write(out, [&header, prepared.as_ref()].concat())?;
    Ok(())
}

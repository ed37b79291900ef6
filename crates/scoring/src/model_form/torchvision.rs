//! Recipes by the names of torchvision's weights.
//!
//! `torchvision.csv` is what `weights.transforms()` says in torchvision 0.29 of every classification network's weights. What
//! `DEFAULT` means is as of that version.

use super::recipe::{Interpolation, Recipe, RecipeError, Resize, Size};

const TABLE: &str = include_str!("torchvision.csv");

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// ImageNet's mean and standard deviation of red, green and blue, for pixels from 0 to 1.
pub(super) fn imagenet() -> (Vec<f64>, Vec<f64>) {
    (IMAGENET_MEAN.to_vec(), IMAGENET_STD.to_vec())
}

/// The recipe of weights such as `ResNet50_Weights.IMAGENET1K_V2`.
///
/// # Errors
/// A name that is not in the table, with those of the same network if there are any.
pub(super) fn recipe(name: &str) -> Result<Recipe, RecipeError> {
    let unknown = || {
        let network = name.split('.').next().unwrap_or_default();
        let same: Vec<&str> = rows()
            .map(|[weights, ..]| weights)
            .filter(|weights| {
                weights
                    .split('.')
                    .next()
                    .is_some_and(|known| known.eq_ignore_ascii_case(network))
            })
            .collect();
        RecipeError::NoSuchWeights {
            name: name.chars().take(60).collect(),
            hint: if same.is_empty() {
                "expected a name such as ResNet50_Weights.IMAGENET1K_V2, as `str(weights)` prints it".to_owned()
            } else {
                format!("there are {}", same.join(", "))
            },
        }
    };
    rows()
        .find(|row| is_called(row, name))
        .and_then(read)
        .ok_or_else(unknown)
}

/// Weights, whether they are the default, resize, crop, interpolation, normalisation.
type Row = [&'static str; 6];

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().skip(1).filter_map(|line| {
        let mut cells = line.split(',');
        let mut row = [""; 6];
        for cell in &mut row {
            *cell = cells.next()?;
        }
        Some(row)
    })
}

fn is_called([weights, default, ..]: &Row, name: &str) -> bool {
    let by_default = || {
        let (network, _) = weights.split_once('.')?;
        let (wanted, version) = name.split_once('.')?;
        Some(*default == "yes" && version == "DEFAULT" && wanted.eq_ignore_ascii_case(network))
    };
    weights.eq_ignore_ascii_case(name) || by_default() == Some(true)
}

fn read([_, _, resize, crop, interpolation, normalisation]: Row) -> Option<Recipe> {
    let (mean, std) = match normalisation {
        "imagenet" => imagenet(),
        "half" => (vec![0.5; 3], vec![0.5; 3]),
        _ => return None,
    };
    Some(Recipe {
        resize: Some(Resize::ShortSide(resize.parse().ok()?)),
        crop: Some(Size::square(crop.parse().ok()?)),
        interpolation: Interpolation::named(interpolation),
        mean: Some(mean),
        std: Some(std),
        ..Recipe::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_recipe() {
        assert_eq!(rows().count(), TABLE.lines().count() - 1);
        for row in rows() {
            assert!(
                read(row).is_some_and(|recipe| recipe.interpolation.is_some()),
                "{row:?}"
            );
        }
    }
}

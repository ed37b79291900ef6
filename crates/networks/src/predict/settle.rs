//! What the network, the images and the form say of the recipe, settled into one that leaves nothing open.

use referee_scoring::Notice;
use referee_scoring::model_form::{ImageInput, ModelForm, Preprocessing, Recipe, Resize, Size};

use super::error::PredictError;
use super::open::Task;
use crate::model::Opened;

/// The recipe that the model runs with.
pub(super) fn settle(
    opened: &Opened,
    form: &ModelForm,
    task: Task,
) -> Result<Preprocessing, PredictError> {
    let recipe = form.preprocess.clone().unwrap_or_default();
    let mut shape = opened.input();
    let flat = opened.flat_length();
    if let Some([height, width, channels]) = flat.and_then(|length| unrolled(length, &recipe, task))
    {
        shape.channels = Some(channels);
        shape.size = Some([height, width]);
    }
    // A network that takes any number of channels gets those of the images, unless the recipe speaks of others.
    let mut lists = [&recipe.mean, &recipe.std].into_iter().flatten();
    let is_open = recipe.channels.is_none() && lists.all(|numbers| numbers.len() == 1);
    let own = task.image.map(|[.., channels]| channels);
    let channels = shape.channels.or(own.filter(|_| is_open));
    Ok(recipe.resolve(ImageInput {
        channels: channels.map(pixels),
        size: shape.size.map(size),
        raw: shape.raw,
        image: image(task),
    })?)
}

/// Height, width and channels of the images that a network takes in one row of `length` values: of the size that the recipe says or
/// that the images have, else square; gray or in colour. None where none of these is so long.
fn unrolled(length: usize, recipe: &Recipe, task: Task) -> Option<[usize; 3]> {
    let as_long = |[height, width]: [usize; 2]| {
        let channels = [1, 3].into_iter().find(|channels| {
            height
                .checked_mul(width)
                .and_then(|pixels| pixels.checked_mul(*channels))
                == Some(length)
        });
        channels.map(|channels| [height, width, channels])
    };
    let said = match (recipe.crop, recipe.resize) {
        (Some(size), _) | (None, Some(Resize::Exact(size))) => Some(size),
        _ => None,
    };
    if let Some(said) = said {
        return as_long([said.height as usize, said.width as usize]);
    }
    let of_images = task.image.and_then(|image @ [height, width, _]| {
        let is_whole = image.iter().product::<usize>() == length;
        is_whole.then_some(image).or(as_long([height, width]))
    });
    let square = || {
        [1, 3].into_iter().find_map(|channels| {
            let side = (length / channels).isqrt();
            (channels * side * side == length).then_some([side, side, channels])
        })
    };
    of_images.or_else(square)
}

/// What is said of a recipe that nobody gave.
pub(super) fn notices(
    recipe: &Preprocessing,
    form: &ModelForm,
    task: Task,
    raw: bool,
) -> Vec<Notice> {
    let given = form.preprocess.as_ref();
    let by_size = match (recipe.small, recipe.crop) {
        (Some(side), Some(crop)) => format!(
            " (images of {crop} pixels stay as they are, and the shorter side of smaller ones becomes {side})"
        ),
        _ => String::new(),
    };
    let unsaid = given.is_none().then(|| Notice {
        code: "preprocess".into(),
        detail: format!(
            "no preprocessing recipe was given, with the model or in its file; used was preprocess={}{by_size}. If the network was trained with another, say so",
            recipe.to_say(raw)
        ),
    });
    let is_resized_unsaid =
        given.is_none_or(|given| given.resize.is_none() && given.crop.is_none());
    let enlarged = (recipe.crop.zip(image(task)))
        .filter(|(crop, image)| is_resized_unsaid && !image.holds(*crop))
        .map(|(crop, image)| enlarged(&format!("the images are {image} pixels"), crop));
    unsaid.into_iter().chain(enlarged).collect()
}

/// Says that `images` ("the images are 28×28 pixels") are smaller than what the network takes.
pub fn enlarged(images: &str, network: Size) -> Notice {
    Notice {
        code: "enlarged".into(),
        detail: format!("{images}, the network takes {network}: they are enlarged"),
    }
}

fn image(task: Task) -> Option<Size> {
    task.image.map(|[height, width, _]| size([height, width]))
}

fn size([height, width]: [usize; 2]) -> Size {
    Size {
        height: pixels(height),
        width: pixels(width),
    }
}

fn pixels(extent: usize) -> u32 {
    u32::try_from(extent).unwrap_or(u32::MAX)
}

//! The output that answers, and how it is read.

use referee_scoring::Notice;

use super::{
    Expected,
    answers::Reading,
    error::{ModelError, Result},
    input::{Input, only_image},
};
use crate::{
    ElementType, Network,
    onnx::{Declared, Feed, OnnxFile},
};

/// More guesses than count.
const MOST_GUESSES: usize = 5;

/// What is known of the output that answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Its name, where the form says it.
    pub name: Option<&'a str>,
    /// How many columns it has, where the challenge says it.
    pub columns: Option<usize>,
}

/// The output that the form names, the only one, or the only one that could hold a score for each class. Where it is not known how
/// many classes there are, one that others are computed from is none.
///
/// # Errors
/// [`ModelError`] where no output, or more than one, can be told to be the answer.
pub fn choose_output(file: &OnnxFile, wanted: Wanted<'_>) -> Result<Declared> {
    let mut answers = file.answers();
    if let Some(name) = wanted.name {
        let found = answers.into_iter().find(|output| output.name == name);
        let outputs = file.output_names();
        return found.ok_or_else(|| {
            let wanted = name.to_owned();
            if outputs.contains(&wanted) {
                ModelError::NoNumbers { name: wanted }
            } else {
                ModelError::NoSuchOutput { wanted, outputs }
            }
        });
    }
    if answers.len() == 1 {
        return Ok(answers.remove(0));
    }
    let fits = |dims: &[usize]| {
        is_one_row(dims)
            && wanted
                .columns
                .map_or(columns_of(dims) > 1, |columns| columns_of(dims) == columns)
    };
    let mut fitting: Vec<(Declared, usize)> = Vec::new();
    for output in answers
        .into_iter()
        .filter(|output| output.element.is_float())
    {
        if let Some(dims) = output_dims(file, &output).filter(|dims| fits(dims)) {
            fitting.push((output, columns_of(&dims)));
        }
    }
    if wanted.columns.is_none() {
        let leads_on = |(output, columns): &(Declared, usize)| {
            fitting.iter().any(|(other, others)| {
                others != columns && file.leads_to(&output.name, &other.name)
            })
        };
        let ends: Vec<bool> = fitting.iter().map(|output| !leads_on(output)).collect();
        let mut ends = ends.into_iter();
        fitting.retain(|_| ends.next() == Some(true));
    }
    match (fitting.as_slice(), wanted.columns) {
        ([(only, _)], _) => Ok(only.clone()),
        (several, Some(classes)) => Err(ModelError::Outputs {
            fitting: several.len(),
            outputs: file.output_names(),
            classes,
        }),
        (_, None) => Err(ModelError::Ambiguous {
            outputs: file.output_names(),
        }),
    }
}

/// Whether what stands for each image is a row: `[N,C]`, `[N,C,1,1]`, `[N,1,1,C]`, `[N,1,C]`.
fn is_one_row(dims: &[usize]) -> bool {
    dims.len() >= 2 && dims[1..].iter().filter(|length| **length != 1).count() <= 1
}

fn columns_of(dims: &[usize]) -> usize {
    dims.iter().skip(1).product()
}

/// An output's dimensions for one image, as declared or else as they follow from the graph.
fn output_dims(file: &OnnxFile, output: &Declared) -> Option<Vec<usize>> {
    declared_dims(output).or_else(|| computed_dims(file, output))
}

/// How many columns an output has for one image. Files declare other shapes than their graphs compute, which no runtime minds.
pub fn output_columns(file: &OnnxFile, output: &Declared) -> Option<usize> {
    let dims = computed_dims(file, output).or_else(|| declared_dims(output))?;
    Some(columns_of(&dims))
}

fn declared_dims(output: &Declared) -> Option<Vec<usize>> {
    let (_, rest) = output.dims.as_ref()?.split_first()?;
    let rest: Option<Vec<usize>> = rest.iter().copied().collect();
    rest.map(|rest| [&[1], rest.as_slice()].concat())
}

fn computed_dims(file: &OnnxFile, output: &Declared) -> Option<Vec<usize>> {
    let image = only_image(file, &output.name).ok()?;
    let input = Input::of(&image, &mut Vec::new()).ok()?;
    let size = input.shape.size.unwrap_or([224, 224]);
    let dims = input.dims(size, input.shape.channels.unwrap_or(3)).ok()?;
    let feed = Feed::Image {
        dims,
        element: image.element,
        fixed_batch: input.fixed_batch,
    };
    let imported = file
        .network("model", vec![(image.name, feed)], &output.name)
        .ok()?;
    let shapes = imported
        .network
        .infer_shapes(input.fixed_batch.unwrap_or(1))
        .ok()?;
    Some(shapes.of(imported.network.output()).to_vec())
}

/// How the network's output becomes an answer; checks that it is one for each image and speaks of the challenge's classes.
pub(super) fn reading(
    network: &Network,
    declared: Option<&Declared>,
    expected: &Expected,
    fixed_batch: Option<usize>,
    notices: &mut Vec<Notice>,
) -> Result<Reading> {
    let batch = fixed_batch.unwrap_or(1);
    let dims = network.infer_shapes(batch)?.of(network.output()).to_vec();
    let name =
        || declared.map_or_else(|| "of the network".to_owned(), |output| output.name.clone());
    let refuse = || ModelError::OutputShape {
        name: name(),
        dims: dims.clone(),
        batch,
        classes: expected.classes,
    };
    if dims.first() != Some(&batch) {
        return Err(match *dims.as_slice() {
            [columns] if batch == 1 => ModelError::NoBatch {
                name: name(),
                columns,
                // Height and width: what looks like one image without channels is an image without a batch.
                unbatched_input: network.input().dims.len() == 2,
            },
            _ => refuse(),
        });
    }
    let columns: usize = dims[1..].iter().product();
    let offset = expected.class_offset.unwrap_or(0);
    // A quantised network's scores; ranked are five classes at most, or all of them in integers of any class's length.
    let is_score = |element: ElementType| {
        element.is_float()
            || columns > MOST_GUESSES
                && columns == expected.classes + offset
                && matches!(
                    element,
                    ElementType::I8 | ElementType::U8 | ElementType::I16 | ElementType::U16
                )
    };
    if declared.is_some_and(|output| !is_score(output.element)) {
        if columns == 0 || dims.len() > 1 && !is_one_row(&dims) {
            return Err(refuse());
        }
        return Ok(Reading::Ranked {
            classes: expected.classes,
            offset,
            guesses: columns.min(MOST_GUESSES),
            columns,
        });
    }
    // [N,C,1,1], as fully convolutional heads give it, or [N,1,1,C], with the channels last.
    if !is_one_row(&dims) {
        return Err(refuse());
    }
    if dims.len() > 2 {
        notices.push(Notice {
            code: "output_shape".into(),
            detail: format!("output {} is {dims:?}; read as [{batch},{columns}]", name()),
        });
    }
    if columns == expected.classes + offset {
        return Ok(Reading::Scores {
            classes: expected.classes,
            offset,
        });
    }
    if columns == expected.classes + 1 && offset == 0 {
        return Err(ModelError::Background {
            columns,
            classes: expected.classes,
        });
    }
    Err(ModelError::Head {
        name: name(),
        columns,
        classes: expected.classes,
        offset,
    })
}

//! The output that answers, and how it is read.

use referee_scoring::Notice;

use super::{
    Expected,
    answers::Reading,
    error::{ModelError, Result},
    input::Input,
};
use crate::{
    Network,
    onnx::{Declared, Feed, OnnxFile},
};

/// More guesses than count.
const MOST_GUESSES: usize = 5;

/// The output that the form names, the only one, or the only one that could hold a score for each class.
pub(super) fn choose(
    file: &OnnxFile,
    image: &Declared,
    input: &Input,
    expected: &Expected,
) -> Result<Declared> {
    let mut outputs = file.outputs()?;
    let names: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
    if let Some(wanted) = &expected.output {
        let found = outputs.into_iter().find(|output| output.name == *wanted);
        return found.ok_or_else(|| ModelError::NoSuchOutput {
            wanted: wanted.clone(),
            outputs: names,
        });
    }
    if outputs.len() == 1 {
        return Ok(outputs.remove(0));
    }
    let fits = |dims: &[usize]| {
        let columns: usize = dims.iter().skip(1).product();
        (2..=4).contains(&dims.len())
            && columns == dims[1]
            && columns == expected.classes + expected.class_offset.unwrap_or(0)
    };
    let fitting: Vec<Declared> = outputs
        .into_iter()
        .filter(|output| {
            output.element.is_float()
                && dims_of(file, image, input, output).is_some_and(|dims| fits(&dims))
        })
        .collect();
    match fitting.as_slice() {
        [only] => Ok(only.clone()),
        several => Err(ModelError::Outputs {
            fitting: several.len(),
            outputs: names,
            classes: expected.classes,
        }),
    }
}

/// An output's dimensions, as declared or else as they follow from the graph.
fn dims_of(
    file: &OnnxFile,
    image: &Declared,
    input: &Input,
    output: &Declared,
) -> Option<Vec<usize>> {
    let declared = output.dims.as_ref().and_then(|dims| {
        let rest: Option<Vec<usize>> = dims.iter().skip(1).copied().collect();
        rest.map(|rest| [&[1], rest.as_slice()].concat())
    });
    if declared.is_some() {
        return declared;
    }
    let size = input.shape.size.unwrap_or([224, 224]);
    let dims = input.dims(size, input.shape.channels.unwrap_or(3)).ok()?;
    let feed = Feed::Image {
        dims,
        element: image.element,
        fixed_batch: input.fixed_batch,
    };
    let imported = file
        .network("model", vec![(image.name.clone(), feed)], &output.name)
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
    if declared.is_some_and(|output| !output.element.is_float()) {
        if dims.len() > 2 || columns == 0 {
            return Err(refuse());
        }
        return Ok(Reading::Ranked {
            classes: expected.classes,
            offset,
            guesses: columns.min(MOST_GUESSES),
            columns,
        });
    }
    // [N,C,1,1], as fully convolutional heads give it.
    if dims.len() < 2 || columns != dims[1] {
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

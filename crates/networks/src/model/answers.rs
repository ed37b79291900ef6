use candle_core::{DType, Tensor};

use super::error::{ModelError, Result};

/// What a model says about a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// A score for each class of each image, one image after the other; all finite.
    Scores { classes: usize, scores: Vec<f32> },
    /// For each image its guesses, most confident first: as many as the network ranks, at most five.
    Ranked(Vec<Vec<usize>>),
}

/// How the network's output is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// `[batch, offset + classes]`
    Scores { classes: usize, offset: usize },
    /// `[batch, columns]` or `[batch]`: classes, of which the first `guesses` count.
    Ranked {
        classes: usize,
        offset: usize,
        guesses: usize,
        columns: usize,
    },
}

impl Reading {
    /// How many classes the answers are of.
    pub fn classes(self) -> usize {
        match self {
            Self::Scores { classes, .. } | Self::Ranked { classes, .. } => classes,
        }
    }

    pub fn read(&self, output: &Tensor, batch: usize) -> Result<Answers> {
        match *self {
            Self::Scores { classes, offset } => {
                let all = output
                    .to_dtype(DType::F32)?
                    .reshape((batch, offset + classes))?;
                let scores: Vec<f32> = all.narrow(1, offset, classes)?.flatten_all()?.to_vec1()?;
                if scores.iter().all(|score| score.is_finite()) {
                    Ok(Answers::Scores { classes, scores })
                } else {
                    Err(ModelError::NotFinite)
                }
            }
            Self::Ranked {
                classes,
                offset,
                guesses,
                columns,
            } => {
                let all: Vec<i64> = output
                    .to_dtype(DType::I64)?
                    .reshape((batch, columns))?
                    .flatten_all()?
                    .to_vec1()?;
                let class = |&ranked: &i64| {
                    let index = usize::try_from(ranked)
                        .ok()
                        .and_then(|class| class.checked_sub(offset));
                    // A column that is no class, `background`, ranks nothing.
                    if usize::try_from(ranked).is_ok_and(|class| class < offset) {
                        return None;
                    }
                    Some(
                        index
                            .filter(|&class| class < classes)
                            .ok_or(ModelError::Class {
                                class: ranked,
                                classes,
                            }),
                    )
                };
                let rows = all
                    .chunks(columns)
                    .map(|row| row.iter().take(guesses).filter_map(class).collect());
                Ok(Answers::Ranked(rows.collect::<Result<_>>()?))
            }
        }
    }
}

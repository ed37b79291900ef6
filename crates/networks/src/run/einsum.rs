//! Einstein's summation as matrix products: operands are joined two at a time, each pair as one batched product.

use std::collections::BTreeSet;

use candle_core::{Result, Tensor, bail};

use super::linear::matmul;

/// Stands in for the dimensions that an ellipsis covers, counted from their end.
const DOTS: u32 = 0x0011_0000;

/// An index of the equation: a letter, or a dimension of the ellipsis.
type Index = u32;

/// A tensor whose axes have names.
struct Named {
    tensor: Tensor,
    indices: Vec<Index>,
}

/// `equation` as `numpy.einsum` reads it.
pub(crate) fn einsum(equation: &str, operands: &[&Tensor]) -> Result<Tensor> {
    let equation: String = equation.split_whitespace().collect();
    let (terms, result) = match equation.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = terms.split(',').collect();
    if terms.len() != operands.len() {
        bail!(
            "{equation} speaks of {} operands, {} arrive",
            terms.len(),
            operands.len()
        );
    }
    let mut named = Vec::with_capacity(operands.len());
    for (term, tensor) in terms.iter().zip(operands) {
        named.push(diagonal(Named {
            indices: indices(term, tensor.rank())?,
            tensor: (*tensor).clone(),
        })?);
    }
    let dots = named
        .iter()
        .flat_map(|operand| &operand.indices)
        .filter(|&&index| index >= DOTS)
        .count();
    let wanted = match result {
        Some(result) => {
            let most = named
                .iter()
                .map(|operand| {
                    operand
                        .indices
                        .iter()
                        .filter(|&&index| index >= DOTS)
                        .count()
                })
                .max();
            indices(
                result,
                result.chars().filter(|&c| c != '.').count() + most.unwrap_or(0),
            )?
        }
        None => implied(&named, &terms, dots > 0),
    };
    let mut pending = named.into_iter();
    let Some(mut total) = pending.next() else {
        bail!("no operands")
    };
    let mut rest: Vec<Named> = pending.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        let needed: BTreeSet<Index> = wanted
            .iter()
            .chain(rest.iter().flat_map(|operand| &operand.indices))
            .copied()
            .collect();
        total = product(total, next, &needed)?;
    }
    let needed = wanted.iter().copied().collect();
    let total = summed(total, &needed)?;
    arranged(&total, &wanted)
}

fn indices(term: &str, rank: usize) -> Result<Vec<Index>> {
    let letters = term.chars().filter(|&c| c != '.').count();
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    let covered = if term.contains("...") {
        rank.saturating_sub(letters)
    } else {
        0
    };
    let all: Vec<Index> = before
        .chars()
        .map(u32::from)
        .chain(
            (0..covered)
                .rev()
                .map(|at| DOTS + u32::try_from(at).unwrap_or(0)),
        )
        .chain(after.chars().map(u32::from))
        .collect();
    if all.len() != rank || !term.chars().all(|c| c.is_ascii_alphabetic() || c == '.') {
        bail!("{term} does not name {rank} dimensions");
    }
    Ok(all)
}

/// Without `->`: the ellipsis, then the letters that occur once, in alphabetical order.
fn implied(named: &[Named], terms: &[&str], dots: bool) -> Vec<Index> {
    let mut letters: Vec<char> = terms.concat().chars().filter(|&c| c != '.').collect();
    letters.sort_unstable();
    let once = letters
        .iter()
        .filter(|&&letter| letters.iter().filter(|&&other| other == letter).count() == 1);
    let mut ellipsis: Vec<Index> = if dots {
        named
            .iter()
            .flat_map(|operand| operand.indices.iter().copied())
            .filter(|&index| index >= DOTS)
            .collect()
    } else {
        Vec::new()
    };
    ellipsis.sort_unstable_by(|a, b| b.cmp(a));
    ellipsis.dedup();
    ellipsis
        .into_iter()
        .chain(once.map(|&letter| u32::from(letter)))
        .collect()
}

/// A letter that occurs twice in a term picks the diagonal.
fn diagonal(mut operand: Named) -> Result<Named> {
    loop {
        let indices = &operand.indices;
        let twice = (0..indices.len()).find_map(|a| {
            Some((
                a,
                (a + 1..indices.len()).find(|&b| indices[b] == indices[a])?,
            ))
        });
        let Some((first, second)) = twice else {
            return Ok(operand);
        };
        let rank = operand.tensor.rank();
        let length = operand.tensor.dim(first)?;
        if length != operand.tensor.dim(second)? {
            bail!("a diagonal of {:?}", operand.tensor.dims());
        }
        let order: Vec<usize> = (0..rank)
            .filter(|&axis| axis != first && axis != second)
            .chain([first, second])
            .collect();
        let moved = operand.tensor.permute(order.clone())?;
        let leading: usize = moved.dims()[..rank - 2].iter().product();
        let flat = moved.reshape((leading, length * length))?;
        let positions: Vec<u32> = (0..length)
            .map(|at| u32::try_from(at * (length + 1)).unwrap_or(u32::MAX))
            .collect();
        let picked = flat.index_select(&Tensor::from_vec(positions, length, flat.device())?, 1)?;
        let mut dims: Vec<usize> = moved.dims()[..rank - 2].to_vec();
        dims.push(length);
        let mut names: Vec<Index> = order[..rank - 2]
            .iter()
            .map(|&axis| indices[axis])
            .collect();
        names.push(indices[first]);
        operand = Named {
            tensor: picked.reshape(dims)?,
            indices: names,
        };
    }
}

/// Sums over the indices that nothing needs any more.
fn summed(operand: Named, needed: &BTreeSet<Index>) -> Result<Named> {
    let axes: Vec<usize> = (0..operand.indices.len())
        .filter(|&axis| !needed.contains(&operand.indices[axis]))
        .collect();
    if axes.is_empty() {
        return Ok(operand);
    }
    let tensor = operand.tensor.sum(axes)?;
    Ok(Named {
        tensor,
        indices: operand
            .indices
            .into_iter()
            .filter(|index| needed.contains(index))
            .collect(),
    })
}

/// The axes in the order of `wanted`; those that an operand lacks have length 1.
fn arranged(operand: &Named, wanted: &[Index]) -> Result<Tensor> {
    let find = |index: &Index| operand.indices.iter().position(|own| own == index);
    let order: Vec<usize> = wanted.iter().filter_map(find).collect();
    if order.len() != operand.indices.len() {
        bail!("the result repeats or lacks an index");
    }
    let dims: Vec<usize> = wanted
        .iter()
        .map(|index| find(index).map_or(1, |axis| operand.tensor.dims()[axis]))
        .collect();
    operand.tensor.permute(order)?.reshape(dims)
}

/// One batched matrix product: shared and needed indices make the batch, shared ones that nothing needs are summed.
fn product(a: Named, b: Named, needed: &BTreeSet<Index>) -> Result<Named> {
    let shared: BTreeSet<Index> = a
        .indices
        .iter()
        .filter(|index| b.indices.contains(index))
        .copied()
        .collect();
    let keep: BTreeSet<Index> = needed.union(&shared).copied().collect();
    let (a, b) = (summed(a, &keep)?, summed(b, &keep)?);
    let length = |index: Index| {
        let of = |operand: &Named| {
            operand
                .indices
                .iter()
                .position(|own| *own == index)
                .map_or(1, |axis| operand.tensor.dims()[axis])
        };
        of(&a).max(of(&b))
    };
    let batch: Vec<Index> = a
        .indices
        .iter()
        .filter(|index| shared.contains(index) && needed.contains(index))
        .copied()
        .collect();
    let inner: Vec<Index> = a
        .indices
        .iter()
        .filter(|index| shared.contains(index) && !needed.contains(index))
        .copied()
        .collect();
    let rows: Vec<Index> = a
        .indices
        .iter()
        .filter(|index| !shared.contains(index))
        .copied()
        .collect();
    let columns: Vec<Index> = b
        .indices
        .iter()
        .filter(|index| !shared.contains(index))
        .copied()
        .collect();
    let lengths = |of: &[Index]| of.iter().map(|&index| length(index)).collect::<Vec<_>>();
    let size = |of: &[Index]| lengths(of).iter().product::<usize>();
    let matrix = |operand: &Named, left: &[Index], right: &[Index]| {
        let order = [&batch[..], left, right].concat();
        let broadcast = arranged(operand, &order)?
            .broadcast_as(lengths(&order))?
            .contiguous()?;
        broadcast.reshape((size(&batch), size(left), size(right)))
    };
    let result = matmul(&matrix(&a, &rows, &inner)?, &matrix(&b, &inner, &columns)?)?;
    let indices = [batch.clone(), rows.clone(), columns.clone()].concat();
    Ok(Named {
        tensor: result.reshape(lengths(&indices))?,
        indices,
    })
}

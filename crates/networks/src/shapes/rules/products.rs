//! Shapes of matrix products and of what is computed as one.

use super::{Arguments, Dims, broadcast};
use crate::graph::ConvTranspose;

pub(super) fn matmul(a: &[usize], b: &[usize]) -> Result<Dims, String> {
    let refuse = || format!("{a:?} and {b:?} do not multiply");
    let (Some((inner, rows)), false) = (a.split_last(), b.is_empty()) else {
        return Err(refuse());
    };
    let (inner_b, columns) = match b {
        [inner] => (inner, &[][..]),
        [.., inner, columns] => (inner, std::slice::from_ref(columns)),
        [] => return Err(refuse()),
    };
    if inner != inner_b {
        return Err(refuse());
    }
    let (rows, leading_a) = match rows.split_last() {
        Some((row, leading)) => (std::slice::from_ref(row), leading),
        None => (&[][..], &[][..]),
    };
    let leading = broadcast(leading_a, &b[..b.len().saturating_sub(2)])?;
    Ok([leading.as_slice(), rows, columns].concat())
}

/// Shapes of `ij,jk->ik`; an ellipsis stands for dimensions that broadcast.
pub(super) fn einsum(equation: &str, inputs: &Arguments<'_>) -> Result<Dims, String> {
    let equation: String = equation.split_whitespace().collect();
    let (terms, result) = match equation.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (equation.as_str(), None),
    };
    let mut letters = std::collections::BTreeMap::<char, usize>::new();
    let mut ellipsis: Dims = Vec::new();
    for (index, term) in terms.split(',').enumerate() {
        let dims = inputs.dims(index)?;
        let named = term.chars().filter(|letter| *letter != '.').count();
        let mut rest = dims.iter();
        let covered = dims
            .len()
            .checked_sub(named)
            .ok_or_else(|| format!("{term} for {dims:?}"))?;
        let (before, after) = term.split_once("...").unwrap_or((term, ""));
        for letter in before.chars() {
            let length = rest.next().copied().unwrap_or(1);
            let known = letters.entry(letter).or_insert(length);
            *known = (*known).max(length);
        }
        let dotted: Dims = if term.contains('.') {
            rest.by_ref().take(covered).copied().collect()
        } else {
            Vec::new()
        };
        ellipsis = broadcast(&ellipsis, &dotted)?;
        for letter in after.chars() {
            let length = rest.next().copied().unwrap_or(1);
            let known = letters.entry(letter).or_insert(length);
            *known = (*known).max(length);
        }
    }
    let result = if let Some(result) = result {
        result.to_owned()
    } else {
        let once = |letter: &&char| terms.matches(**letter).count() == 1;
        let dots = if terms.contains("...") { "..." } else { "" };
        dots.to_owned() + &letters.keys().filter(once).collect::<String>()
    };
    let (before, after) = match result.split_once("...") {
        Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
        None => (result, None),
    };
    let length = |letter: char| {
        letters
            .get(&letter)
            .copied()
            .ok_or_else(|| format!("{letter} comes from no input"))
    };
    let mut dims = before.chars().map(length).collect::<Result<Dims, _>>()?;
    if let Some(after) = after {
        dims.extend(ellipsis);
        dims.extend(after.chars().map(length).collect::<Result<Dims, _>>()?);
    }
    Ok(dims)
}

/// (in − 1)·stride + the window's reach, less what is cropped, for each spatial dimension.
pub(super) fn conv_transpose(
    attributes: &ConvTranspose,
    x: &[usize],
    weight: &[usize],
) -> Result<Dims, String> {
    let ([batch, channels, spatial @ ..], [inner, per_group, window @ ..]) = (x, weight) else {
        return Err(format!("[batch, channels, …] is needed, not {x:?}"));
    };
    let ConvTranspose {
        stride,
        dilation,
        begin,
        end,
        output_padding,
        groups,
    } = attributes;
    let rank = spatial.len();
    let per_axis = [window, stride, dilation, begin, end, output_padding];
    if channels != inner
        || *groups == 0
        || channels % groups != 0
        || per_axis.iter().any(|values| values.len() != rank)
    {
        return Err(format!(
            "{x:?} arrives, but the weight is {weight:?} in {groups} groups"
        ));
    }
    let length = |axis: usize| {
        let reach = window[axis]
            .checked_sub(1)?
            .checked_mul(dilation[axis])?
            .checked_add(1)?;
        let full = spatial[axis]
            .checked_sub(1)?
            .checked_mul(stride[axis])?
            .checked_add(reach)?;
        full.checked_add(output_padding[axis])?
            .checked_sub(begin[axis].checked_add(end[axis])?)
    };
    let lengths: Option<Dims> = (0..rank).map(length).collect();
    let lengths = lengths
        .ok_or_else(|| format!("{spatial:?} cannot be enlarged with windows of {window:?}"))?;
    Ok([
        &[*batch, per_group.saturating_mul(*groups)],
        lengths.as_slice(),
    ]
    .concat())
}

//! Images as matrices of windows (im2col; Chellapilla et al. 2006), and back.

use candle_core::WithDType;

use crate::window::Window;

/// The matrix whose columns are the windows of the output lines `lines` and whose rows are their inputs.
///
/// `x [channels, input positions]`; `columns [channels · taps, lines · line length]`.
pub(super) fn im2col<T: WithDType>(
    w: &Window,
    channels: usize,
    x: &[T],
    lines: std::ops::Range<usize>,
    columns: &mut [T],
) {
    let length = w.output[2];
    let count = lines.len() * length;
    for (row, columns) in columns
        .chunks_mut(count)
        .enumerate()
        .take(channels * w.taps())
    {
        let plane = &x[row / w.taps() * w.input_positions()..][..w.input_positions()];
        for (columns, line) in columns.chunks_mut(length).zip(lines.clone()) {
            let Some((start, inside, first)) = source_line(w, line, row % w.taps()) else {
                columns.fill(T::zero());
                continue;
            };
            columns[..inside.start].fill(T::zero());
            columns[inside.end..].fill(T::zero());
            let pixels = &plane[start + first..start + w.input[2]];
            let columns = &mut columns[inside];
            if w.stride[2] == 1 {
                columns.copy_from_slice(&pixels[..columns.len()]);
            } else {
                columns
                    .iter_mut()
                    .zip(pixels.iter().step_by(w.stride[2]))
                    .for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The transpose of [`im2col`] over all lines: adds every window's inputs to the pixels that they came from.
pub(super) fn col2im<T: WithDType>(w: &Window, channels: usize, columns: &[T], x: &mut [T]) {
    let length = w.output[2];
    for (row, columns) in columns
        .chunks(w.output_positions())
        .enumerate()
        .take(channels * w.taps())
    {
        let plane = &mut x[row / w.taps() * w.input_positions()..][..w.input_positions()];
        for (line, columns) in columns.chunks(length).enumerate() {
            let Some((start, inside, first)) = source_line(w, line, row % w.taps()) else {
                continue;
            };
            let pixels = plane[start + first..start + w.input[2]]
                .iter_mut()
                .step_by(w.stride[2]);
            pixels
                .zip(&columns[inside])
                .for_each(|(to, from)| *to += *from);
        }
    }
}

/// For an output line and a tap of the window: where in the plane the image line starts, which of the line's outputs
/// have their tap inside it, and at which pixel the first of them is.
pub(super) fn source_line(
    w: &Window,
    line: usize,
    tap: usize,
) -> Option<(usize, std::ops::Range<usize>, usize)> {
    let [_, window_height, window_width] = w.size;
    let (tap_d, tap_h, tap_w) = (
        tap / window_width / window_height,
        tap / window_width % window_height,
        tap % window_width,
    );
    let z = w.source(0, line / w.output[1], tap_d)?;
    let y = w.source(1, line % w.output[1], tap_h)?;
    let inside = w.inside(2, tap_w);
    let first = w.source(2, inside.start, tap_w)?;
    Some(((z * w.input[1] + y) * w.input[2], inside, first))
}

//! The inverse discrete cosine transform, as libjpeg's accurate integer one (`jidctint.c`; Loeffler, Ligtenberg and Moschytz 1989).

/// Bits behind the point of the constants, and of the values between the two passes.
const CONSTANT_BITS: u32 = 13;
const PASS_BITS: u32 = 2;

/// One block of samples, `[8, 8]`, from coefficients and quantization table, both in natural order.
pub(super) fn inverse(coefficients: &[i16; 64], quantization: &[u16; 64]) -> [u8; 64] {
    let mut between = [0_i32; 64];
    for column in 0..8 {
        let input = std::array::from_fn(|row| {
            let at = row * 8 + column;
            i32::from(coefficients[at]).wrapping_mul(quantization[at].into())
        });
        let output = eight(input, CONSTANT_BITS - PASS_BITS);
        for (row, value) in output.into_iter().enumerate() {
            between[row * 8 + column] = value;
        }
    }
    let mut samples = [0; 64];
    for (samples, row) in samples
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(between.as_chunks::<8>().0)
    {
        *samples = eight(*row, CONSTANT_BITS + PASS_BITS + 3).map(to_sample);
    }
    samples
}

#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn to_sample(value: i32) -> u8 {
    value.wrapping_add(128).clamp(0, 255) as u8
}

/// One dimension. Sums wrap where damaged files make them too large.
fn eight(x: [i32; 8], descale: u32) -> [i32; 8] {
    use std::num::Wrapping as W;
    let x = x.map(W);
    let constant = |value: i32| W(value);

    let z1 = (x[2] + x[6]) * constant(4433);
    let t2 = z1 - x[6] * constant(15137);
    let t3 = z1 + x[2] * constant(6270);
    let t0 = (x[0] + x[4]) << CONSTANT_BITS as usize;
    let t1 = (x[0] - x[4]) << CONSTANT_BITS as usize;
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];

    let (z1, z2, z3, z4) = (x[7] + x[1], x[5] + x[3], x[7] + x[3], x[5] + x[1]);
    let z5 = (z3 + z4) * constant(9633);
    let z1 = z1 * constant(-7373);
    let z2 = z2 * constant(-20995);
    let z3 = z3 * constant(-16069) + z5;
    let z4 = z4 * constant(-3196) + z5;
    let odd = [
        x[1] * constant(12299) + z1 + z4,
        x[3] * constant(25172) + z2 + z3,
        x[5] * constant(16819) + z2 + z4,
        x[7] * constant(2446) + z1 + z3,
    ];

    let round = W(1 << (descale - 1));
    std::array::from_fn(|at| {
        let sum = if at < 4 {
            even[at] + odd[at]
        } else {
            even[7 - at] - odd[7 - at]
        };
        ((sum + round) >> descale as usize).0
    })
}

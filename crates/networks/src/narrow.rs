//! Floating-point numbers of eight and four bits, which quantised networks store and which a run holds in its precision.

use crate::ElementType;

/// How a narrow float is laid out: a sign, then exponent and mantissa.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Narrow {
    exponent: u32,
    mantissa: u32,
    bias: i32,
    /// The largest finite number.
    most: f32,
    special: Special,
}

/// What the numbers beyond the largest are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    /// As IEEE 754 has it: infinities and NaN in the last exponent.
    Ieee,
    /// NaN alone, where every bit but the sign is set.
    NanOnly,
    /// NaN in the place of −0.
    UnsignedZero,
    None,
}

/// The layout of an element type, where it is a narrow float.
pub(crate) fn layout(element: ElementType) -> Option<Narrow> {
    let (exponent, mantissa, bias, most, special) = match element {
        ElementType::F8E4M3FN => (4, 3, 7, 448., Special::NanOnly),
        ElementType::F8E4M3FNUZ => (4, 3, 8, 240., Special::UnsignedZero),
        ElementType::F8E5M2 => (5, 2, 15, 57344., Special::Ieee),
        ElementType::F8E5M2FNUZ => (5, 2, 16, 57344., Special::UnsignedZero),
        ElementType::F4E2M1 => (2, 1, 1, 6., Special::None),
        _ => return None,
    };
    Some(Narrow {
        exponent,
        mantissa,
        bias,
        most,
        special,
    })
}

impl Narrow {
    /// The number that a code stands for.
    pub fn decode(self, code: u8) -> f32 {
        let digits = u32::from(code) & ((1 << (self.exponent + self.mantissa)) - 1);
        let negative = u32::from(code) >> (self.exponent + self.mantissa) & 1 == 1;
        let (exponent, mantissa) = (digits >> self.mantissa, digits & ((1 << self.mantissa) - 1));
        let last = exponent == (1 << self.exponent) - 1;
        let all_ones = digits == (1 << (self.exponent + self.mantissa)) - 1;
        let size = match self.special {
            Special::Ieee if last && mantissa == 0 => f32::INFINITY,
            Special::Ieee if last => f32::NAN,
            Special::NanOnly if all_ones => f32::NAN,
            Special::UnsignedZero if negative && digits == 0 => return f32::NAN,
            _ => self.finite(exponent, mantissa),
        };
        if negative { -size } else { size }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        reason = "a few bits"
    )]
    fn finite(self, exponent: u32, mantissa: u32) -> f32 {
        let fraction = mantissa as f32 / (1_u32 << self.mantissa) as f32;
        match exponent {
            0 => fraction * 2_f32.powi(1 - self.bias),
            _ => (1. + fraction) * 2_f32.powi(exponent as i32 - self.bias),
        }
    }

    /// The number of this kind that is nearest, the even one of two. Beyond the largest: that, where `saturates`, else the
    /// infinity or NaN that stands for it.
    #[expect(clippy::cast_possible_wrap, reason = "a few bits")]
    pub fn round(self, x: f32, saturates: bool) -> f32 {
        if x.is_nan() {
            return if self.special == Special::None {
                -0.
            } else {
                x
            };
        }
        // The step between neighbours at this size; the lowest ones are equally far apart.
        let exponent = (x.abs().to_bits() >> 23) as i32 - 127;
        let step = 2_f32.powi(exponent.max(1 - self.bias) - self.mantissa as i32);
        let rounded = if x.is_finite() {
            (x / step).round_ties_even() * step
        } else {
            x
        };
        let rounded = if rounded == 0. && self.special == Special::UnsignedZero {
            0.
        } else {
            rounded
        };
        match self.special {
            _ if rounded.abs() <= self.most => rounded,
            _ if saturates => self.most.copysign(x),
            Special::Ieee => f32::INFINITY.copysign(x),
            Special::None => self.most.copysign(x),
            Special::NanOnly | Special::UnsignedZero => f32::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners of the formats in "FP8 Formats for Deep Learning" (Micikevicius et al. 2022, table 1), in "8-bit Numerical
    /// Formats for Deep Neural Networks" (Noune et al. 2022), and of the OCP's FP4.
    #[test]
    #[expect(clippy::unusual_byte_groupings, reason = "sign, exponent and mantissa")]
    fn codes_stand_for_their_numbers() {
        let cases = [
            (ElementType::F8E4M3FN, 0b0_1111_110, 448.),
            (ElementType::F8E4M3FN, 0b0_0001_000, 0.015_625),
            (ElementType::F8E4M3FN, 0b1_0000_001, -0.001_953_125),
            (ElementType::F8E5M2, 0b0_11110_11, 57344.),
            (ElementType::F8E5M2, 0b0_00001_00, 6.103_515_6e-5),
            (ElementType::F8E5M2, 0b1_11111_00, f32::NEG_INFINITY),
            (ElementType::F8E4M3FNUZ, 0b0_1111_111, 240.),
            (ElementType::F8E5M2FNUZ, 0b0_11111_11, 57344.),
            (ElementType::F4E2M1, 0b0_11_1, 6.),
            (ElementType::F4E2M1, 0b1_00_1, -0.5),
        ];
        for (element, code, number) in cases {
            assert_eq!(
                layout(element).unwrap().decode(code).to_bits(),
                f32::to_bits(number),
                "{element:?} {code:#b}"
            );
        }
        for (element, code) in [
            (ElementType::F8E4M3FN, 0xff),
            (ElementType::F8E5M2, 0x7d),
            (ElementType::F8E4M3FNUZ, 0x80),
            (ElementType::F8E5M2FNUZ, 0x80),
        ] {
            assert!(
                layout(element).unwrap().decode(code).is_nan(),
                "{element:?} {code:#x}"
            );
        }
    }

    /// Every number of a format stays itself, and half-way between two it goes to the one with an even code.
    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for element in [
            ElementType::F8E4M3FN,
            ElementType::F8E4M3FNUZ,
            ElementType::F8E5M2,
            ElementType::F8E5M2FNUZ,
            ElementType::F4E2M1,
        ] {
            let narrow = layout(element).unwrap();
            let codes = if element == ElementType::F4E2M1 {
                8
            } else {
                128
            };
            for code in 0..codes {
                let (number, next) = (narrow.decode(code), narrow.decode(code + 1));
                if number.is_finite() {
                    assert_eq!(narrow.round(number, true).to_bits(), number.to_bits());
                    assert_eq!(
                        narrow.round(-number, false).abs().to_bits(),
                        number.to_bits()
                    );
                }
                if number.is_finite() && next.is_finite() && next > number {
                    let even = if code % 2 == 0 { number } else { next };
                    assert_eq!(
                        narrow.round(f32::midpoint(number, next), true).to_bits(),
                        even.to_bits()
                    );
                }
            }
            assert_eq!(narrow.round(1e9, true).to_bits(), narrow.most.to_bits());
        }
    }
}

//! The normal, beta and symmetric binomial distributions, as far as the intervals and tests need them.

use std::f64::consts::{LN_2, PI};

use super::real;

/// The point below which the standard normal distribution has probability `p`, 0 < p < 1, by Newton's method.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let mut x = 0.0_f64;
    for _ in 0..100 {
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        // From the centre each step falls short of the root, so that the steps shrink until nothing is left.
        let step = (p - 0.5 - density * central_series(x)) / density;
        x += step;
        if step.abs() < 1e-15 * (1.0 + x.abs()) {
            break;
        }
    }
    x
}

/// x + x³/3 + x⁵/(3·5) + …, which times the normal density is the probability between 0 and x (Marsaglia 2004).
fn central_series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > sum.abs() * 1e-17 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    sum
}

/// Logarithm of the gamma function for x > 0: Stirling's series, shifted to where it is exact to double precision.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    // Bernoulli numbers B(2k) / (2k (2k - 1)).
    let series = inverse
        * (1.0 / 12.0
            - square
                * (1.0 / 360.0
                    - square
                        * (1.0 / 1260.0
                            - square
                                * (1.0 / 1680.0
                                    - square * (1.0 / 1188.0 - square * (691.0 / 360_360.0))))));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - shift
}

/// The regularised incomplete beta function `I_x(a, b)`: probability that a Beta(a, b) variable is at most `x`.
fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf_below_mode(1.0 - x, b, a);
    }
    beta_cdf_below_mode(x, a, b)
}

/// [`beta_cdf`] for `x` where its continued fraction converges quickly; evaluated forwards by the modified Lentz method.
fn beta_cdf_below_mode(x: f64, a: f64, b: f64) -> f64 {
    let density =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    let mut fraction = Lentz::new();
    fraction.step(-(a + b) * x / (a + 1.0));
    for m in (1..100_000).map(f64::from) {
        fraction.step(m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)));
        let change =
            fraction.step(-(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)));
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    density / (a * fraction.value)
}

/// The continued fraction 1 + t₁/(1 + t₂/(1 + …)), one term at a time.
struct Lentz {
    value: f64,
    numerators: f64,
    denominators: f64,
}

impl Lentz {
    fn new() -> Self {
        Self {
            value: 1.0,
            numerators: 1.0,
            denominators: 0.0,
        }
    }

    /// Adds a term and returns the factor by which it changed the value.
    fn step(&mut self, term: f64) -> f64 {
        let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
        self.denominators = 1.0 / nonzero(1.0 + term * self.denominators);
        self.numerators = nonzero(1.0 + term / self.numerators);
        let change = self.numerators * self.denominators;
        self.value *= change;
        change
    }
}

/// The point below which Beta(a, b) has probability `p`, by bisection to the last bit.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if beta_cdf(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// P[X <= k] and P[X = k] for X binomial with `trials` fair coins.
pub(super) fn binomial_half(k: u64, trials: u64) -> (f64, f64) {
    let (k, n) = (real(k), real(trials));
    let exactly = (ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) - n * LN_2).exp();
    let at_most = if k >= n {
        1.0
    } else {
        beta_cdf(0.5, n - k, k + 1.0)
    };
    (at_most, exactly)
}

/// P[X >= k] for X binomial with `trials` trials of probability `p`.
pub(crate) fn binomial_tail(k: u64, trials: u64, p: f64) -> f64 {
    if k == 0 {
        1.0
    } else {
        beta_cdf(p, real(k), real(trials - k) + 1.0)
    }
}

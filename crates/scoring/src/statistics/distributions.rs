//! The normal, beta and symmetric binomial distributions, as far as the intervals and tests need them.

use super::real;

/// The point below which the standard normal distribution has probability `p`, 0 < p < 1.
///
/// Newton's method on the distribution function, which is [`normal_tail`]; from the centre it converges from below without overshooting.
pub(super) fn normal_quantile(p: f64) -> f64 {
    if p < 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let upper = 1.0 - p;
    let mut x = 0.0_f64;
    for _ in 0..100 {
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = (normal_tail(x) - upper) / density;
        x += step;
        if step.abs() < 1e-14 * (1.0 + x) {
            break;
        }
    }
    x
}

/// Probability that a standard normal variable exceeds `x >= 0`: half the upper tail of chi-square with one degree of freedom,
/// written with the incomplete beta function's relative, the incomplete gamma function.
fn normal_tail(x: f64) -> f64 {
    let half_square = x * x / 2.0;
    if half_square < 1.5 {
        // Series for the lower incomplete gamma function of order 1/2.
        let (mut term, mut sum, mut order) = (2.0, 2.0, 0.5);
        while term > sum * 1e-17 {
            order += 1.0;
            term *= half_square / order;
            sum += term;
        }
        let lower = sum * (-half_square).exp() * half_square.sqrt() / std::f64::consts::PI.sqrt();
        return 0.5 * (1.0 - lower);
    }
    // Lentz's continued fraction for the upper one.
    let mut b = half_square + 0.5;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..500 {
        let i = f64::from(i);
        let an = -i * (i - 0.5);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    0.5 * h * (-half_square).exp() * half_square.sqrt() / std::f64::consts::PI.sqrt()
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
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

/// The regularised incomplete beta function I_x(a, b): probability that a Beta(a, b) variable is at most `x`.
fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf_below_mode(1.0 - x, b, a);
    }
    beta_cdf_below_mode(x, a, b)
}

/// [`beta_cdf`] for `x` where its continued fraction converges quickly, by the modified Lentz method.
fn beta_cdf_below_mode(x: f64, a: f64, b: f64) -> f64 {
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    let guard = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * h / a
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
    let exactly = (ln_gamma(n + 1.0)
        - ln_gamma(k + 1.0)
        - ln_gamma(n - k + 1.0)
        - n * std::f64::consts::LN_2)
        .exp();
    let at_most = if k >= n {
        1.0
    } else {
        beta_cdf(0.5, n - k, k + 1.0)
    };
    (at_most, exactly)
}

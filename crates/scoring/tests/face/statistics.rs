//! Intervals and tests against tables worked out in R and scipy, and against published intervals.

use referee_scoring::Bitmap;
use referee_scoring::statistics::{clopper_pearson, discordant, mcnemar, rank_ranges, wilson};

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

#[test]
fn wilson_and_clopper_pearson() {
    let table = [
        (0, 100, (0.0, 0.036_993), (0.0, 0.036_217)),
        (5, 100, (0.021_544, 0.111_750), (0.016_432, 0.112_835)),
        (77, 1500, (0.041_267, 0.063_691), (0.040_721, 0.063_743)),
        (102, 1500, (0.056_332, 0.081_875), (0.055_783, 0.081_940)),
        (
            6656,
            100_000,
            (0.065_032, 0.068_122),
            (0.065_023, 0.068_123),
        ),
        (
            3567,
            100_000,
            (0.034_538, 0.036_837),
            (0.034_529, 0.036_838),
        ),
    ];
    for (misses, images, score, exact) in table {
        for (found, expected) in [
            (wilson(misses, images, 0.95), score),
            (clopper_pearson(misses, images, 0.95), exact),
        ] {
            assert!(
                close(found.0, expected.0, 6e-7),
                "{misses}/{images}: {found:?}, {expected:?}"
            );
            assert!(
                close(found.1, expected.1, 6e-7),
                "{misses}/{images}: {found:?}, {expected:?}"
            );
        }
    }
}

/// `scipy.stats.binomtest(x, n).proportion_ci(confidence, method)`.
#[test]
fn intervals_at_other_confidences() {
    let (low, high) = clopper_pearson(9, 10, 0.9);
    assert!(close(low, 0.605_836_697_563_065_9, 1e-12), "{low}");
    assert!(close(high, 0.994_883_803_107_695_4, 1e-12), "{high}");
    let (low, high) = clopper_pearson(6656, 100_000, 0.999);
    assert!(close(low, 0.063_994_112_747_574_98, 1e-10), "{low}");
    assert!(close(high, 0.069_191_528_918_628_5, 1e-10), "{high}");
    let (low, high) = wilson(6656, 100_000, 0.999);
    assert!(close(low, 0.064_012_968_461_943_18, 1e-13), "{low}");
    assert!(close(high, 0.069_200_883_381_806_58, 1e-13), "{high}");
    assert_eq!(wilson(0, 0, 0.95), (0.0, 1.0));
    assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    assert!(close(wilson(10, 10, 0.95).1, 1.0, 0.0));
}

/// Russakovsky et al. 2015, table 8: `GoogLeNet`'s 6.656 % of 100,000 at 99.9 %, bootstrapped, is 6.40 to 6.92.
#[test]
fn interval_of_the_ilsvrc_paper() {
    let (low, high) = wilson(6656, 100_000, 0.999);
    assert_eq!(
        format!("{:.2} {:.2}", 100.0 * low, 100.0 * high),
        "6.40 6.92"
    );
}

#[test]
fn mcnemar_exact_and_mid_p() {
    // (b, c, exact, mid-p); the last three from scipy.stats.binom.
    let table = [
        (300, 220, 0.000_519, 0.000_446, 6e-7),
        (11, 1, 0.006_348, 0.003_418, 6e-7),
        (25, 15, 0.153_860, 0.117_275, 6e-7),
        (10, 3, 0.092_285, 0.057_373, 6e-7),
        (5, 5, 1.0, 0.876_953, 6e-7),
        (2, 0, 0.5, 0.25, 1e-12),
        (1, 0, 1.0, 0.5, 1e-12),
        (0, 0, 1.0, 1.0, 0.0),
        (
            50_300,
            49_700,
            0.058_197_353_110_190,
            0.057_780_280_149_206,
            1e-9,
        ),
        (2000, 2000, 1.0, 0.993_692_562_922_082_3, 1e-11),
        (
            0,
            30,
            1.862_645_149_230_957e-9,
            9.313_225_746_154_769e-10,
            1e-20,
        ),
    ];
    for (b, c, exact, mid_p, tolerance) in table {
        let found = mcnemar(b, c);
        assert!(close(found.exact, exact, tolerance), "{b}/{c}: {found:?}");
        assert!(close(found.mid_p, mid_p, tolerance), "{b}/{c}: {found:?}");
        assert_eq!(found, mcnemar(c, b));
    }
}

#[test]
fn discordant_pairs_are_counted_inside_the_mask() {
    let bitmap = |text: &str| text.bytes().map(|byte| byte == b'1').collect::<Bitmap>();
    let (a, b) = (bitmap("1110011001"), bitmap("1001010001"));
    assert_eq!(discordant(&a, &b, &Bitmap::full(10)), (3, 1));
    assert_eq!(discordant(&a, &b, &bitmap("0111111110")), (3, 1));
    assert_eq!(discordant(&a, &b, &bitmap("0110000001")), (2, 0));
}

/// A hit bitmap of `n` images, wrong on the first `wrong`.
fn wrong_on_first(wrong: usize, n: usize) -> Bitmap {
    (0..n).map(|image| image >= wrong).collect()
}

/// Nested errors: the pairs differ on 10, 15 and 5 images, all one way, so that mid-p is 2^−10, 2^−15 and 2^−5. Holm's bounds for three
/// pairs are a third, a half and all of the level.
#[test]
fn rank_ranges_by_hand() {
    let n = 100;
    let errors = [10, 20, 25];
    let hits: Vec<Bitmap> = errors
        .iter()
        .map(|&wrong| wrong_on_first(wrong, n))
        .collect();
    let hits: Vec<&Bitmap> = hits.iter().collect();
    let all = Bitmap::full(n);
    assert_eq!(rank_ranges(&hits, &all, 0.05), [(1, 1), (2, 2), (3, 3)]);
    // At 0.03 the last pair's 2^−5 = 0.03125 fails; the others hold.
    assert_eq!(rank_ranges(&hits, &all, 0.03), [(1, 1), (2, 3), (2, 3)]);
    assert_eq!(rank_ranges(&hits, &all, 0.000_01), [(1, 3), (1, 3), (1, 3)]);
    // Only the images of the mask count: nobody differs on the others.
    let last: Bitmap = (0..n).map(|image| image >= 50).collect();
    assert_eq!(rank_ranges(&hits, &last, 0.05), [(1, 3), (1, 3), (1, 3)]);
    assert_eq!(rank_ranges(&[], &all, 0.05), []);
}

/// Holm stops at the first pair that fails: a later one that would pass its own bound alone does not count.
#[test]
fn holm_bounds_shrink_with_the_family() {
    let n = 100;
    // 0, 6, 12 errors: mid-p 2^−6 twice and 2^−12. 2^−6 = 0.0156 passes 0.05/2 = 0.025, but not 0.03/2 = 0.015.
    let hits: Vec<Bitmap> = [0, 6, 12]
        .iter()
        .map(|&wrong| wrong_on_first(wrong, n))
        .collect();
    let hits: Vec<&Bitmap> = hits.iter().collect();
    let all = Bitmap::full(n);
    assert_eq!(rank_ranges(&hits, &all, 0.05), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(rank_ranges(&hits, &all, 0.03), [(1, 2), (1, 3), (2, 3)]);
}

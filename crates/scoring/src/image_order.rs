//! In which order the names of test images are counted from 0.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// How names are put in order: `10.png` before `2.png`, or after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageOrder {
    /// By the bytes of the names, as `sort` in the C locale and Python's `sorted` do.
    #[default]
    Bytes,
    /// Runs of digits by their value, as people and file managers count.
    Natural,
}

impl ImageOrder {
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Natural => natural(a.as_bytes(), b.as_bytes()).then_with(|| a.cmp(b)),
        }
    }
}

/// Whether names are codes of one length, such as hashes and UUIDs: marks at the same places, and a place where one has a digit and
/// another a letter. Nobody counts by their digits.
pub(crate) fn are_codes(names: &[String]) -> bool {
    let stem = |name: &'_ String| -> usize { name.rfind('.').unwrap_or(name.len()) };
    let Some(first) = names.first() else {
        return false;
    };
    let first = &first.as_bytes()[..stem(first)];
    let mut mixed = false;
    for name in names {
        let bytes = &name.as_bytes()[..stem(name)];
        let is_alike = bytes.len() == first.len()
            && bytes.iter().zip(first).all(|(a, b)| {
                mixed |= a.is_ascii_digit() != b.is_ascii_digit();
                a == b || a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()
            });
        if !is_alike {
            return false;
        }
    }
    mixed
}

/// The sentence for names that the two orders put in different places, so that somebody must say which is meant; none where both
/// agree, and for codes, which have no natural order.
pub fn fault_of_unsaid_order(names: &[String]) -> Option<String> {
    if are_codes(names) {
        return None;
    }
    let sorted = |order: ImageOrder| {
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable_by(|a, b| order.compare(a, b));
        sorted
    };
    let (bytes, natural) = (sorted(ImageOrder::Bytes), sorted(ImageOrder::Natural));
    let place = (0..names.len()).find(|&place| bytes[place] != natural[place])?;
    Some(format!(
        "image {place} (from 0) is `{}` in byte order of the names and `{}` in natural order: write order = \"natural\" or order = \"bytes\" under [test]",
        bytes[place], natural[place]
    ))
}

fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (digits_a, digits_b) = (digits(a), digits(b));
        if digits_a > 0 && digits_b > 0 {
            let (value_a, value_b) = (value(&a[..digits_a]), value(&b[..digits_b]));
            let ordering = (value_a.len().cmp(&value_b.len())).then_with(|| value_a.cmp(value_b));
            if ordering != Ordering::Equal {
                return ordering;
            }
            (a, b) = (&a[digits_a..], &b[digits_b..]);
            continue;
        }
        match (a.split_first(), b.split_first()) {
            (Some((first_a, rest_a)), Some((first_b, rest_b))) if first_a == first_b => {
                (a, b) = (rest_a, rest_b);
            }
            (first_a, first_b) => {
                return first_a
                    .map(|(byte, _)| byte)
                    .cmp(&first_b.map(|(byte, _)| byte));
            }
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Digits without leading zeros: the longer are the greater number.
fn value(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(order: ImageOrder, names: &str) -> Vec<&str> {
        let mut names: Vec<&str> = names.split(' ').collect();
        names.sort_by(|a, b| order.compare(a, b));
        names
    }

    /// What GNU `sort` and `sort -V` make of these names (coreutils 9, `LC_ALL=C`).
    #[test]
    fn names_are_sorted_as_sort_does() {
        let names = "img10.png img2.png img1.png a1/2.png a1/10.png a.png 007.png 7a.png 8.png";
        assert_eq!(
            sorted(ImageOrder::Bytes, names).join(" "),
            "007.png 7a.png 8.png a.png a1/10.png a1/2.png img1.png img10.png img2.png"
        );
        assert_eq!(
            sorted(ImageOrder::Natural, names).join(" "),
            "007.png 7a.png 8.png a.png a1/2.png a1/10.png img1.png img2.png img10.png"
        );
    }

    #[test]
    fn a_number_beyond_all_integers_has_a_place() {
        let names = "99999999999999999999999.png 100000000000000000000000.png 1.png";
        assert_eq!(
            sorted(ImageOrder::Natural, names).join(" "),
            "1.png 99999999999999999999999.png 100000000000000000000000.png"
        );
    }

    #[test]
    fn hashes_have_no_natural_order() {
        let names = |names: &str| -> Vec<String> { names.split(' ').map(str::to_owned).collect() };
        for codes in [
            "00a1c3f2.png 0f33a012.png 12ab34cd.jpeg",
            "007d1034-d726-486b-9c3a-23cde67a9b75.png 0b94af3a-4b05-41ae-b153-d69c3e01aaa6.png",
        ] {
            assert_eq!(fault_of_unsaid_order(&names(codes)), None, "{codes}");
        }
        for counted in [
            "s10_1.png s1_10.png",
            "cat_1.png cat_10.png cat_2.png",
            "1.png 10.png 2.png a1.png",
        ] {
            assert!(
                fault_of_unsaid_order(&names(counted)).is_some(),
                "{counted}"
            );
        }
    }

    #[test]
    fn only_names_that_the_orders_disagree_about_are_a_fault() {
        let names = |names: &str| -> Vec<String> { names.split(' ').map(str::to_owned).collect() };
        for agreed in [
            "0.png 1.png 2.png",
            "a.png b.png",
            "08.png 09.png 10.png",
            "x",
        ] {
            assert_eq!(fault_of_unsaid_order(&names(agreed)), None, "{agreed}");
        }
        let fault = fault_of_unsaid_order(&names("0.png 1.png 2.png 10.png")).expect("a fault");
        assert!(
            fault.starts_with(
                "image 2 (from 0) is `10.png` in byte order of the names and `2.png` in natural"
            ),
            "{fault}"
        );
    }
}

//! A commitment to hidden labels: a number that everybody may keep while the labels are hidden, and that nobody can find another
//! set of labels, another split or other rules for afterwards.
//!
//! It is the SHA-256 of a text, lines that end in `\n`, in UTF-8:
//!
//! ```text
//! referee commitment 1
//! salt 64 hexadecimal digits
//! primary top5                 the rules, as many lines as were committed to
//! class 0 ["name","id"]        JSON; ["name",null] without an id
//! image 0 public 3|7           classes from 0, ascending; - where the image is skipped
//! image 1 private 4
//! ```
//!
//! Labels can be guessed one by one where almost all are known, so the salt stays with them until they are shown.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::classes::ClassList;
use crate::labels::Labels;
use crate::outcome::Bitmap;

/// Pieces of about this many bytes are hashed at once.
const PIECE: usize = 1 << 16;

/// Commits to `labels`, split into `public` images and others, under `rules`: lines that end in `\n`.
///
/// # Panics
/// If `labels` and `public` are not of the same length.
pub fn commitment(
    salt: &[u8; 32],
    rules: &str,
    classes: &ClassList,
    labels: &Labels,
    public: &Bitmap,
) -> [u8; 32] {
    assert_eq!(
        labels.len(),
        public.len(),
        "labels and split are of the same test set"
    );
    let mut hash = Sha256::new();
    let mut text = String::from("referee commitment 1\nsalt ");
    for byte in salt {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
    }
    text.push('\n');
    text.push_str(rules);
    for (index, entry) in classes.entries().iter().enumerate() {
        let names = serde_json::json!([entry.name, entry.id]);
        writeln!(text, "class {index} {names}").expect("writing to a String never fails");
    }
    for (image, set) in labels.iter().enumerate() {
        if text.len() > PIECE {
            hash.update(&text);
            text.clear();
        }
        let side = if public.get(image) {
            "public"
        } else {
            "private"
        };
        let mut set: Vec<u16> = set.iter().map(|class| class.0).collect();
        set.sort_unstable();
        set.dedup();
        let set: Vec<String> = set.iter().map(u16::to_string).collect();
        let set = if set.is_empty() {
            "-".to_owned()
        } else {
            set.join("|")
        };
        writeln!(text, "image {image} {side} {set}").expect("writing to a String never fails");
    }
    hash.update(&text);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::{Class, ClassEntry};

    /// The digest is Python's: `hashlib.sha256(text.encode()).hexdigest()` of the text below.
    ///
    /// ```text
    /// referee commitment 1
    /// salt 0707070707070707070707070707070707070707070707070707070707070707
    /// primary top1
    /// public_fraction 0.5
    /// class 0 ["Käse",null]
    /// class 1 ["dog \"x\"","n01"]
    /// image 0 public 1
    /// image 1 private 0|1
    /// image 2 public -
    /// ```
    #[test]
    fn the_text_is_the_documented_one() {
        let entry = |name: &str, id: Option<&str>| ClassEntry {
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let classes =
            ClassList::new(vec![entry("Käse", None), entry("dog \"x\"", Some("n01"))]).unwrap();
        let labels = Labels::from_sets(
            [vec![Class(1)], vec![Class(1), Class(0), Class(1)], vec![]].into_iter(),
        );
        let public: Bitmap = [true, false, true].into_iter().collect();
        let rules = "primary top1\npublic_fraction 0.5\n";
        let digest = commitment(&[7; 32], rules, &classes, &labels, &public);
        let digits =
            (digest.iter()).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(
            digits,
            "12c47f7ebb0eab453d5cb3bdf5e668d15952ce97ebedb9a144c72f016d86ddc6"
        );

        let moved: Bitmap = [true, true, false].into_iter().collect();
        assert_ne!(
            digest,
            commitment(&[7; 32], rules, &classes, &labels, &moved)
        );
        assert_ne!(
            digest,
            commitment(&[8; 32], rules, &classes, &labels, &public)
        );
    }
}

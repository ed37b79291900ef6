//! What `eval_flat.m` of the ILSVRC development kit says about its own odd inputs. Errors worked out by hand from its source.

use referee_scoring::{ClassList, Expected, FormatError, ImageList, Predictions, predictions};

use crate::{labels, tally};

fn read(text: &str, images: usize) -> Result<Predictions, FormatError> {
    let (classes, images) = (ClassList::numbered(1000), ImageList::ordinals(images));
    let expected = Expected {
        classes: &classes,
        images: &images,
        boxes: false,
        devkit: true,
    };
    predictions::read(text.as_bytes(), &expected)
}

/// With 1 to 6 guesses allowed: 0.8, 0.6, 0.6, 0.6, 0.2, 0.0. Six guesses cannot be asked for here.
#[test]
fn errors_are_those_of_eval_flat() {
    let lines = ["1 2 3 4 5", "7", "9 9 9 9 8", "5000 3", "4 3 2 1 6 10"];
    let truth = labels(&[4, 6, 7, 2, 9]);
    for (guesses, wrong) in [(1, 4), (2, 3), (3, 3), (4, 3), (5, 1)] {
        let text: String = lines
            .iter()
            .map(|line| line.split(' ').take(guesses).collect::<Vec<_>>().join(" ") + "\n")
            .collect();
        let tally = tally(&read(&text, 5).expect("accepted"), &truth);
        assert_eq!(
            (tally.images, tally.top5_misses),
            (5, wrong),
            "{guesses} guesses"
        );
    }
    let all = tally(&read(&lines.join("\n"), 5).expect("accepted"), &truth);
    assert_eq!((all.top1_misses, all.top5_misses), (4, 1));
    assert!((all.top1_error() - 0.8).abs() < 1e-12 && (all.top5_error() - 0.2).abs() < 1e-12);
}

#[test]
fn numbers_that_are_no_class_only_miss() {
    let predictions = read("0 1\n-3 2.5 2\n1e3 3.0\ninf 4\n", 4).expect("accepted");
    let rows = predictions.record.rows();
    assert_eq!(rows[0], [-1, -1, 0, -1, -1, -1]);
    assert_eq!(rows[1], [-1, -1, -1, 1, -1, -1]);
    assert_eq!(rows[2], [999, 999, 2, -1, -1, -1]);
    assert_eq!(rows[3], [-1, -1, 3, -1, -1, -1]);
}

/// `dlmread` drops blank lines, so that everything behind one shifts up: harmless at the end only.
#[test]
fn blank_lines_are_tolerated_at_the_end_only() {
    assert_eq!(read("1\n2\n\n \n\n", 2).expect("accepted").record.len(), 2);
    let error = read("1\n\n2\n", 2).expect_err("positions would shift");
    assert_eq!(
        error.detail,
        "line 2: blank; expected 1 to 5 class numbers, best first"
    );
}

#[test]
fn words_and_wrong_counts_are_refused() {
    assert!(read("1 cat\n", 1).is_err());
    assert!(read("1 nan\n", 1).is_err());
    assert!(read("1\n2\n", 3).is_err());
    assert!(read("1\n2\n3\n", 2).is_err());
}

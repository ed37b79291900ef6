//! Test sets that give nothing away.

use referee_scoring::image_files::{Format, Traits};
use referee_scoring::leaks::Findings;

use crate::leaks_learnt::{Image, Random, look};

/// Names as people have them, with labels drawn at random: of a thousand test sets, large and small, with few classes and many, none is
/// a finding. The bound promises less than one in a million.
#[test]
#[expect(clippy::too_many_lines, reason = "a list of ways to name files")]
fn a_thousand_innocent_test_sets_are_no_findings() {
    type Naming = fn(usize, &mut Random) -> String;
    let ways: [Naming; 12] = [
        |image, _| format!("ILSVRC2012_val_{image:08}.JPEG"),
        |image, _| format!("IMG_{}.JPG", 4711 + image),
        |image, random| {
            format!(
                "DSC{:05}-{}.jpg",
                image * 3 + random.below(3),
                if random.below(4) == 0 {
                    "edited"
                } else {
                    "raw"
                }
            )
        },
        |_, random| format!("{}.png", random.hex(16)),
        |_, random| {
            format!(
                "{}-{}-4{}-a{}-{}.jpeg",
                random.hex(8),
                random.hex(4),
                random.hex(3),
                random.hex(3),
                random.hex(12)
            )
        },
        |image, _| format!("{image}.png"),
        |image, random| {
            format!(
                "2023-{:02}-{:02} {:02}.{:02}.{:02}.jpg",
                1 + image / 200 % 12,
                1 + image / 8 % 25,
                image % 8 + 9,
                random.below(60),
                random.below(60)
            )
        },
        |image, random| {
            format!(
                "shard-{:03}/{:06}.{}",
                image / 50,
                image,
                ["jpg", "JPEG", "png"][random.below(3)]
            )
        },
        |image, random| {
            format!(
                "{}-{}-{image}.jpg",
                ["red", "old", "tiny", "wet"][random.below(4)],
                ["house", "dogs", "tree", "cars", "sea"][random.below(5)]
            )
        },
        |_, random| {
            format!(
                "{}_{}_o.jpg",
                2_000_000_000 + random.below(999_999_999),
                random.hex(10)
            )
        },
        |image, random| format!("{}/{}/{image:05}.jpg", random.hex(2), random.hex(2)),
        |image, random| {
            format!(
                "Photo {} ({}).jpg",
                ["A", "b", "C3"][random.below(3)],
                image
            )
        },
    ];
    let mut random = Random(2026);
    for trial in 0..1000 {
        let classes = [2, 3, 5, 10, 100, 1000][trial % 6];
        let images = [10, 40, 100, 250, 400][random.below(5)];
        let skewed = random.below(3) == 0;
        let name = ways[trial % ways.len()];
        let made = (0..images).map(|image| {
            let class = if skewed && random.below(3) > 0 {
                0
            } else {
                random.below(classes)
            };
            Image {
                name: name(image, &mut random),
                class: u16::try_from(class).expect("small"),
                place: if trial % 2 == 0 {
                    image as u64
                } else {
                    random.draw() >> 20
                },
                changed: match trial % 3 {
                    0 => 0,
                    1 => 1_700_000_000 + image as u64,
                    _ => 1_700_000_000 + random.below(100_000) as u64,
                },
                owner: random.below(3) as u64,
                traits: Traits {
                    format: if random.below(3) == 0 {
                        Format::Png
                    } else {
                        Format::Jpeg
                    },
                    width: 300 + 10 * u32::try_from(random.below(30)).expect("small"),
                    height: 300 + 10 * u32::try_from(random.below(30)).expect("small"),
                    coding: random.hex(1).into_bytes(),
                    fields: vec![
                        ("Model".to_owned(), random.hex(1).into_bytes()),
                        ("Date".to_owned(), random.hex(8).into_bytes()),
                    ],
                    words: vec![random.hex(1), random.hex(2)],
                },
            }
        });
        let mut made: Vec<Image> = made.collect();
        made.sort_by(|a, b| a.name.cmp(&b.name));
        made.dedup_by(|a, b| a.name == b.name);
        assert_eq!(look(made, classes), Findings::default(), "trial {trial}");
    }
}

//! What goes with the classes, learnt from the images themselves.

use referee_scoring::image_files::{Format, Traits};
use referee_scoring::leaks::{Amount, Findings, Kind, TestSet, findings};
use referee_scoring::{ClassList, ImageList, PictureFile};

use crate::labels;

/// Numbers without pattern (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.draw() % limit as u64).expect("small")
    }

    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits).fold(String::new(), |text, _| {
            text + &format!("{:x}", self.below(16))
        })
    }
}

/// A test set in the making: what the images are called, and what else is known of them.
#[derive(Clone)]
pub struct Image {
    pub name: String,
    pub class: u16,
    /// Where it lies in the archive.
    pub place: u64,
    pub changed: u64,
    pub owner: u64,
    pub traits: Traits,
}

/// Images in byte order of their names, as a tar has them, in `classes` classes that nobody has heard of.
pub fn look(mut images: Vec<Image>, classes: usize) -> Findings {
    images.sort_by(|a, b| a.name.cmp(&b.name));
    let list = (0..classes).fold(String::new(), |list, class| {
        list + &format!("unheard{class}x\n")
    });
    let names = images.iter().map(|image| image.name.clone()).collect();
    let files: Vec<PictureFile> = images
        .iter()
        .map(|image| PictureFile {
            name: image.name.clone(),
            offset: image.place * 1024,
            size: 1000,
            changed: image.changed,
            owner: image.owner,
        })
        .collect();
    let traits: Vec<(usize, Traits)> = images
        .iter()
        .map(|image| image.traits.clone())
        .enumerate()
        .collect();
    findings(&TestSet {
        labels: &labels(&images.iter().map(|image| image.class).collect::<Vec<u16>>()),
        classes: &ClassList::parse(&list).expect("classes"),
        images: &ImageList::named(names).expect("names"),
        files: Some(&files),
        traits: &traits,
    })
}

/// 200 images of four classes, with random names and nothing that tells, but for what `change` does.
fn two_hundred(change: impl Fn(&mut Image, usize, &mut Random)) -> Findings {
    let mut random = Random(7);
    let images = (0..200).map(|image| {
        let mut made = Image {
            name: format!("{}.jpg", random.hex(12)),
            class: u16::try_from(random.below(4)).expect("small"),
            place: image as u64,
            changed: 1_700_000_000,
            owner: 1,
            traits: Traits {
                width: 500,
                height: 375,
                ..Traits::default()
            },
        };
        change(&mut made, image, &mut random);
        made
    });
    look(images.collect(), 4)
}

/// The ways to tell labels, by kind, and the sentence.
fn kinds(found: &Findings) -> Vec<Kind> {
    found.leaks.iter().map(|leak| leak.kind).collect()
}

const WORDS: [&str; 4] = ["tench", "goldfish", "hammerhead", "berry"];

#[test]
fn nothing_is_found_where_nothing_tells() {
    assert_eq!(two_hundred(|_, _, _| ()), Findings::default());
}

#[test]
fn a_part_of_the_name_tells() {
    let found = two_hundred(|image, number, _| {
        let wnid = ["n01440764", "n01443537", "n01484850", "n01491361"][usize::from(image.class)];
        image.name = format!("ILSVRC2012_val_{number:08}_{wnid}.JPEG");
    });
    let sentence = found.sentence().expect("found");
    assert!(
        sentence.starts_with("the part of the file name after the last `_` (`n014")
            && sentence.contains(" tells the class of 200 of 200 images, "),
        "{sentence}"
    );
    assert!(sentence.ends_with(": run `referee challenge shuffle DIR` first, or pass --known-labels if these labels are public anyway"));
    assert_eq!(
        found.public_sentence().expect("found"),
        "file names give the labels of all images away: run `referee challenge shuffle DIR` first (`referee challenge check DIR` says what \
         tells them), or pass --known-labels if these labels are public anyway"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of ways to name files")]
fn file_names_tell_in_any_place_and_way() {
    type Naming = fn(&Image, usize, &mut Random) -> String;
    let ways: [(&str, Naming); 14] = [
        ("in the middle", |image, number, random| {
            format!(
                "pic_{number:04}_{}_{}.jpg",
                WORDS[usize::from(image.class)],
                random.hex(6)
            )
        }),
        ("an index without a list", |image, number, _| {
            format!(
                "pic_{number:04}_{}_b.jpg",
                [17, 3, 44, 902][usize::from(image.class)]
            )
        }),
        ("in any case", |image, number, random| {
            let word = WORDS[usize::from(image.class)];
            let word = if random.below(2) == 0 {
                word.to_uppercase()
            } else {
                word.to_owned()
            };
            format!("{number:04}-{word}.jpg")
        }),
        ("singular and plural", |image, number, random| {
            let plural = [
                ("tench", "tenches"),
                ("goldfish", "goldfishes"),
                ("hammerhead", "hammerheads"),
                ("berry", "berries"),
            ];
            let (one, many) = plural[usize::from(image.class)];
            format!(
                "{number:04} {}.jpg",
                if random.below(2) == 0 { one } else { many }
            )
        }),
        ("at any place", |image, number, random| {
            let mut parts = vec![random.hex(4), random.hex(3), format!("{number:03}")];
            parts.insert(random.below(4), WORDS[usize::from(image.class)].to_owned());
            format!("{}.jpg", parts.join("-"))
        }),
        ("without a border", |image, _, random| {
            let letter = |digit: char| {
                if digit.is_ascii_digit() {
                    char::from(digit as u8 + 55)
                } else {
                    digit
                }
            };
            let letters = |random: &mut Random| {
                random
                    .hex(5 + image.name.len() % 2)
                    .chars()
                    .map(letter)
                    .collect::<String>()
            };
            format!(
                "{}{}{}.jpg",
                letters(random),
                WORDS[usize::from(image.class)],
                letters(random)
            )
        }),
        ("letters and digits", |image, number, _| {
            format!(
                "img{number:04}{}x.jpg",
                ["ab", "cd", "ef", "gh"][usize::from(image.class)]
            )
        }),
        ("as its first character", |image, _, random| {
            format!(
                "{}{}.jpg",
                ["d", "a", "c", "b"][usize::from(image.class)],
                random.hex(8)
            )
        }),
        ("inside of random digits", |image, _, random| {
            format!(
                "{}{:02x}{}.jpg",
                random.hex(6),
                0x31 + 7 * image.class,
                random.hex(4)
            )
        }),
        ("in hexadecimal", |image, number, _| {
            let hex: String = WORDS[usize::from(image.class)]
                .bytes()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            format!("{number:04}_{hex}_{}.jpg", number % 7)
        }),
        ("as a remainder", |image, _, random| {
            format!(
                "img-{}.jpg",
                1000 + 4 * random.below(100_000_000) + usize::from(image.class)
            )
        }),
        ("as a size", |image, _, random| {
            format!(
                "{}-{}.jpg",
                random.hex(6),
                5000 * usize::from(image.class) + random.below(5000)
            )
        }),
        ("by its length", |image, _, random| {
            format!("{}.jpg", random.hex(8 + usize::from(image.class)))
        }),
        ("by capitals", |image, _, random| {
            let mut name: Vec<char> = "abcdefghij".chars().collect();
            for place in 0..usize::from(image.class) {
                name[place * 2 + random.below(2)].make_ascii_uppercase();
            }
            format!("{}{}.jpg", name.iter().collect::<String>(), random.hex(6))
        }),
    ];
    for (way, name) in ways {
        let found = two_hundred(|image, number, random| image.name = name(image, number, random));
        assert!(kinds(&found).contains(&Kind::FileNames), "{way}: {found:?}");
        let told = found
            .leaks
            .iter()
            .find(|leak| leak.kind == Kind::FileNames)
            .expect("told");
        assert_ne!(told.amount, Amount::Some, "{way}: {told:?}");
    }
}

#[test]
fn folders_and_endings_tell() {
    let folders = two_hundred(|image, _, _| {
        image.name = format!(
            "{}/{}",
            ["b", "a", "d", "c"][usize::from(image.class)],
            image.name
        );
    });
    assert!(kinds(&folders).contains(&Kind::Folders), "{folders:?}");
    let nested = two_hundred(|image, number, _| {
        image.name = format!(
            "{}/{}/{}",
            number % 9,
            ["b", "a", "d", "c"][usize::from(image.class)],
            image.name
        );
    });
    assert!(kinds(&nested).contains(&Kind::Folders), "{nested:?}");
    let endings = two_hundred(|image, _, _| {
        if image.class == 2 {
            image.name = image.name.replace(".jpg", ".JPEG");
        }
    });
    assert_eq!(kinds(&endings), [Kind::Endings], "{endings:?}");
    let formats = two_hundred(|image, _, _| {
        if image.class < 2 {
            image.traits.format = Format::Png;
        }
    });
    assert_eq!(kinds(&formats), [Kind::Formats], "{formats:?}");
}

#[test]
fn the_archive_tells() {
    let placed =
        two_hundred(|image, number, _| image.place = 1000 * u64::from(image.class) + number as u64);
    assert_eq!(kinds(&placed), [Kind::Archive], "{placed:?}");
    assert!(
        placed.sentence().expect("found").contains("archive"),
        "{placed:?}"
    );
    let in_turns =
        two_hundred(|image, number, _| image.place = number as u64 * 4 + u64::from(image.class));
    assert!(
        in_turns.leaks.is_empty(),
        "ranks hold no remainder: {in_turns:?}"
    );
    let changed = two_hundred(|image, number, _| {
        image.changed += 3600 * u64::from(image.class) + number as u64;
    });
    assert_eq!(kinds(&changed), [Kind::Times], "{changed:?}");
    let same_time =
        two_hundred(|image, _, _| image.changed += [5, 0, 9, 7][usize::from(image.class)]);
    assert_eq!(kinds(&same_time), [Kind::Times], "{same_time:?}");
    let owned = two_hundred(|image, _, _| image.owner = 1000 + u64::from(image.class % 2));
    assert_eq!(kinds(&owned), [Kind::Owners], "{owned:?}");
}

#[test]
fn metadata_tells() {
    let described = two_hundred(|image, number, _| {
        let field = |name: &str, value: String| (name.to_owned(), value.into_bytes());
        image.traits.fields = vec![
            field(
                "EXIF field DateTime",
                format!("2026:01:01 00:{:02}:{:02}", number / 60, number % 60),
            ),
            field(
                "EXIF field ImageDescription",
                WORDS[usize::from(image.class)].to_owned(),
            ),
        ];
    });
    assert_eq!(kinds(&described), [Kind::Metadata], "{described:?}");
    let sentence = described.sentence().expect("found");
    assert!(sentence.starts_with("the pictures' metadata (EXIF field ImageDescription) tells the class of 200 of 200 images"), "{sentence}");
    let words = two_hundred(|image, number, _| {
        image.traits.fields = vec![(
            "the JPEG comment".to_owned(),
            format!("{number} {}", WORDS[usize::from(image.class)]).into_bytes(),
        )];
        image.traits.words = vec![
            number.to_string(),
            WORDS[usize::from(image.class)].to_owned(),
        ];
    });
    assert_eq!(kinds(&words), [Kind::Metadata], "{words:?}");
}

#[test]
fn what_the_pictures_are_is_a_notice() {
    let sized = two_hundred(|image, _, _| image.traits.width = 400 + 10 * u32::from(image.class));
    assert_eq!(kinds(&sized), []);
    assert_eq!(sized.notices[0].kind, Kind::Dimensions, "{sized:?}");
    let coded = two_hundred(|image, _, _| {
        image.traits.coding = vec![u8::try_from(image.class).expect("small")];
    });
    assert_eq!(
        (kinds(&coded), coded.notices[0].kind),
        (vec![], Kind::Coding),
        "{coded:?}"
    );
    assert!(
        coded
            .notice_sentences()
            .next()
            .expect("one")
            .ends_with("shuffling leaves it as it is")
    );
    // A notice on the pictures does not hide what names tell.
    let both = two_hundred(|image, number, _| {
        image.traits.width = 400 + 10 * u32::from(image.class);
        image.name = format!("{number:04}-{}.jpg", WORDS[usize::from(image.class)]);
    });
    assert_eq!(kinds(&both), [Kind::FileNames], "{both:?}");
}

/// As many images as one may have in a small test set, of two classes: chance alone is not enough to say anything.
#[test]
fn of_few_images_nothing_is_said() {
    for images in [1_u32, 2, 5, 12] {
        let mut random = Random(images.into());
        let made = (0..images).map(|image| Image {
            name: format!("{}-{}.jpg", random.hex(4), image % 2),
            class: u16::try_from(image % 2).expect("small"),
            place: image.into(),
            changed: 0,
            owner: 0,
            traits: Traits::default(),
        });
        assert_eq!(look(made.collect(), 2), Findings::default(), "{images}");
    }
}

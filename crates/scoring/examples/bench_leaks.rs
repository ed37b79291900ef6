//! How long the leak check takes: `bench_leaks [IMAGES [CLASSES]]`, by default a million images of a thousand classes whose names tell nothing,
//! which is when everything is tried. Prints the seconds and, on Linux, the largest memory of the process in MB.

use std::time::Instant;

use referee_scoring::image_files::Traits;
use referee_scoring::leaks::{TestSet, findings, sampled};
use referee_scoring::{Class, ClassList, ImageList, Labels, PictureFile};

/// The finaliser of `SplitMix64`.
fn scattered(number: usize) -> u64 {
    let x = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<usize>());
    let images = arguments.next().transpose()?.unwrap_or(1_000_000);
    let classes = arguments.next().transpose()?.unwrap_or(1000);
    let name = |image: usize| {
        let x = scattered(image);
        format!(
            "2026-{:02}/IMG_{image:07}_{:06x}-{}x{}.JPEG",
            x % 12 + 1,
            x >> 40,
            x % 900 + 100,
            x / 7 % 900 + 100
        )
    };
    let mut names: Vec<String> = (0..images).map(name).collect();
    names.sort_unstable();
    let files: Vec<PictureFile> = names
        .iter()
        .enumerate()
        .map(|(image, name)| PictureFile {
            name: name.clone(),
            offset: (scattered(image + 5) >> 16) * 512,
            size: scattered(image + 3) % 200_000,
            changed: scattered(image + 1) % 100_000,
            owner: scattered(image + 2) % 3,
        })
        .collect();
    let traits = |image: usize| Traits {
        width: 500,
        height: 300 + u32::try_from(scattered(image + 4) % 100).unwrap_or(0),
        fields: vec![(
            "Model".to_owned(),
            (scattered(image + 6) % 20).to_le_bytes().to_vec(),
        )],
        ..Traits::default()
    };
    let traits: Vec<(usize, Traits)> = sampled(images)
        .map(|image| (image, traits(image)))
        .collect();
    let class =
        |image: usize| Class(u16::try_from(scattered(image + 9) % classes as u64).unwrap_or(0));
    let labels = Labels::from_sets((0..images).map(|image| vec![class(image)]));
    let set = TestSet {
        labels: &labels,
        classes: &ClassList::numbered(classes),
        images: &ImageList::named(names)?,
        files: Some(&files),
        traits: &traits,
    };
    let memory = || -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let before = memory();
    let start = Instant::now();
    let found = findings(&set);
    println!("seconds\t{:.2}", start.elapsed().as_secs_f64());
    println!("leaks\t{}", found.leaks.len());
    if let (Some(before), Some(after)) = (before, memory()) {
        println!("MB before, at most\t{}\t{}", before / 1024, after / 1024);
    }
    Ok(())
}

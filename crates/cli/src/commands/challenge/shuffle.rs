use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use referee_networks::images::TestSet;
use referee_scoring::leaks::Kind;
use referee_scoring::{ImageList, Labels, npy};

use super::strip::{self, Stripped};
use crate::manifest::{ChallengeDirectory, FILE_NAME};
use crate::{output, progress};

/// Put the test images in a random order under names that say nothing, without their metadata
///
/// Where JPEG and PNG files are of different classes, the JPEG files become PNG files of the same pixels, which are larger.
///
/// Writes shuffled-images.npy (or .tar), shuffled-labels.csv and shuffled-order.csv (which image was which) beside
/// challenge.toml, and lets challenge.toml name the first two. The old files stay. With --out they go there, and challenge.toml
/// is left as it is.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge shuffle fashion-mnist/")]
pub struct Shuffle {
    /// The directory that holds challenge.toml
    dir: PathBuf,
    /// Write the new files here, and leave challenge.toml alone
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Shuffle {
    pub fn run(self) -> anyhow::Result<()> {
        let directory = ChallengeDirectory::open(&self.dir)?;
        let images = directory.images.as_ref();
        let images = images.with_context(|| format!("{FILE_NAME} names no test images, so there is nothing to shuffle; add `images` to [test]"))?;
        let out = self.out.as_deref().unwrap_or(&self.dir);
        fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;

        let order = random_order(images.len())?;
        let (images_name, names) = if images.shape().is_some() {
            write_array(images, &order, &out.join("shuffled-images.npy"))?;
            ("shuffled-images.npy", ImageList::ordinals(images.len()))
        } else {
            let found = directory.leaks()?.leaks;
            let formats_tell = found.iter().any(|leak| leak.kind == Kind::Formats);
            if formats_tell {
                eprintln!(
                    "notice: JPEG and PNG files are of different classes, so all become PNG files"
                );
            }
            let path = out.join("shuffled-images.tar");
            let names = write_archive(images, &order, formats_tell, &path)?;
            ("shuffled-images.tar", ImageList::named(names)?)
        };
        write_labels(
            &directory.labels,
            &order,
            &names,
            &out.join("shuffled-labels.csv"),
        )?;
        write_order(
            &directory.image_list,
            &order,
            &names,
            &out.join("shuffled-order.csv"),
        )?;

        if self.out.is_some() {
            return output::print_line(&format!(
                "{}: name shuffled-labels.csv and {images_name} in {FILE_NAME}.",
                out.display()
            ));
        }
        let text = renamed(&directory, images_name, "shuffled-labels.csv");
        let file = self.dir.join(FILE_NAME);
        write_whole(&file, PUBLIC, |out| Ok(out.write_all(text.as_bytes())?))?;
        output::print_line(&format!(
            "{} now names {images_name} and shuffled-labels.csv; keep shuffled-order.csv to yourself.",
            file.display()
        ))
    }
}

/// A permutation by Fisher and Yates with the system's random numbers: `order[new]` is the old ordinal.
fn random_order(images: usize) -> anyhow::Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..images).collect();
    for last in (1..images).rev() {
        order.swap(last, random_below(last as u64 + 1)?);
    }
    Ok(order)
}

/// Uniform on `0..limit`: draws from the incomplete last stretch are drawn again.
fn random_below(limit: u64) -> anyhow::Result<usize> {
    loop {
        let draw = getrandom::u64().context("the system gives no random numbers")?;
        if draw < u64::MAX - u64::MAX % limit {
            return Ok(usize::try_from(draw % limit)?);
        }
    }
}

fn write_array(images: &TestSet, order: &[usize], path: &Path) -> anyhow::Result<()> {
    let bar = progress::counter("images", order.len());
    write_whole(path, SECRET, |out| {
        out.write_all(&npy::header("|u1", images.shape().unwrap_or_default()))?;
        for &old in bar.wrap_iter(order.iter()) {
            out.write_all(images.bytes(old)?)?;
        }
        Ok(())
    })
}

/// Flat names with leading zeros, so that byte order is numeric order; the same owner, mode and time for all.
fn write_archive(
    images: &TestSet,
    order: &[usize],
    as_png: bool,
    path: &Path,
) -> anyhow::Result<Vec<String>> {
    let pictures = images.pictures().unwrap_or_default();
    let width = order.len().saturating_sub(1).to_string().len().max(6);
    let mut names = Vec::with_capacity(order.len());
    let bar = progress::counter("images", order.len());
    write_whole(path, SECRET, |out| {
        let mut archive = tar::Builder::new(out);
        for (new, &old) in bar.wrap_iter(order.iter()).enumerate() {
            let mut picture = strip::metadata(images.bytes(old)?).with_context(|| {
                format!("{} cannot be stripped of its metadata", pictures[old].name)
            })?;
            if as_png && picture.extension == "jpg" {
                picture = Stripped {
                    bytes: images.picture(old)?.to_png()?,
                    extension: "png",
                };
            }
            let name = format!("image-{new:0width$}.{}", picture.extension);
            let mut header = tar::Header::new_ustar();
            header.set_size(picture.bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, &name, picture.bytes.as_slice())?;
            names.push(name);
        }
        archive.finish()?;
        Ok(())
    })?;
    Ok(names)
}

fn write_labels(
    labels: &Labels,
    order: &[usize],
    names: &ImageList,
    path: &Path,
) -> anyhow::Result<()> {
    let shuffled = Labels::from_sets(order.iter().map(|&old| labels.get(old).to_vec()));
    write_whole(path, SECRET, |out| Ok(shuffled.write_csv(out, names)?))
}

fn write_order(
    old_names: &ImageList,
    order: &[usize],
    new_names: &ImageList,
    path: &Path,
) -> anyhow::Result<()> {
    let name = |list: &ImageList, ordinal: usize| {
        list.names()
            .map_or_else(|| ordinal.to_string(), |names| names[ordinal].clone())
    };
    write_whole(path, SECRET, |out| {
        writeln!(out, "image,was")?;
        for (new, &old) in order.iter().enumerate() {
            let was = name(old_names, old);
            let was = if was.contains([',', '"', '\n']) {
                format!("\"{}\"", was.replace('"', "\"\""))
            } else {
                was
            };
            writeln!(out, "{},{was}", name(new_names, new))?;
        }
        Ok(())
    })
}

/// Whom a file is for: labels, their order and images that may be hidden are for their owner alone.
const SECRET: u32 = 0o600;
/// For whomever the umask lets.
const PUBLIC: u32 = 0o666;

/// Writes a file that takes the place of the one there once it is complete: what is shuffled may be what was shuffled before.
fn write_whole(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".new");
    let written = || {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(mode)
            .open(&part)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&part, path)?;
        Ok(())
    };
    let written: anyhow::Result<()> = written();
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// `challenge.toml` with other file names in `[test]`, and everything else as it was, comments too.
fn renamed(directory: &ChallengeDirectory, images: &str, labels: &str) -> String {
    let test = &directory.manifest.test;
    let mut spans = vec![(test.labels.span(), labels)];
    spans.extend(test.images.as_ref().map(|old| (old.span(), images)));
    spans.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut manifest = directory.text.clone();
    for (span, name) in spans {
        manifest.replace_range(span, &format!("\"{name}\""));
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_and_every_place_is_as_likely() {
        let mut first = [0_u32; 4];
        for _ in 0..4000 {
            let order = random_order(4).unwrap();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            first[order[0]] += 1;
        }
        // Each count is binomial(4000, 1/4): 1000 with standard deviation 27; beyond 6 of them once in a billion runs.
        assert!(
            first.iter().all(|&count| count.abs_diff(1000) < 165),
            "{first:?}"
        );
    }
}

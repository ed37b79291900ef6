//! A directory of pictures as the test images that are sent: one tar in a random order, under names that say nothing, without
//! metadata. The order is kept, so that the same pictures make the same tar again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use referee_scoring::{ClassList, ImageList, ImageOrder, Labels};

use super::shuffle::{random_order, write_archive, write_labels, write_order};

const ARCHIVE: &str = "packed-images.tar";
const LABELS: &str = "packed-labels.csv";
/// Which picture was which; it gives away what the shuffling hides.
const ORDER: &str = "packed-order.csv";

/// The pictures of a directory and the tar that was made of them.
pub(crate) struct Packed {
    /// Beside challenge.toml.
    pub archive: PathBuf,
    labels: PathBuf,
    /// The paths below the directory, as labels name them, in the order that challenge.toml says.
    pub paths: ImageList,
    /// By place in the tar, the place among the paths.
    order: Vec<usize>,
    /// What they are called in the tar.
    names: ImageList,
}

impl Packed {
    /// Packs `pictures`, a directory, into `beside`, where challenge.toml is; nothing is written anew that is there already.
    pub(crate) fn new(beside: &Path, pictures: &Path, order: ImageOrder) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        let mut newest = SystemTime::UNIX_EPOCH;
        find(pictures, "", &mut paths, &mut newest)?;
        ensure!(
            !paths.is_empty(),
            "{} holds no pictures; give a directory of JPEG and PNG files",
            pictures.display()
        );
        paths.sort_unstable_by(|a, b| order.compare(a, b));
        let (archive, order_file) = (beside.join(ARCHIVE), beside.join(ORDER));
        let is_current = |path: &Path| {
            let written = fs::metadata(path).and_then(|metadata| metadata.modified());
            written.is_ok_and(|written| written > newest)
        };
        let kept = kept_order(&order_file, &paths)?;
        let list = ImageList::named(paths.clone())?;
        let (order, names) = match kept {
            Some((order, names)) if is_current(&archive) => (order, names),
            kept => {
                let order = match kept {
                    Some((order, _)) => order,
                    None => random_order(paths.len())?,
                };
                let pictures = order.iter().map(|&place| {
                    let file = pictures.join(&paths[place]);
                    let bytes = fs::read(&file)
                        .with_context(|| format!("{} cannot be read", file.display()))?;
                    anyhow::Ok((paths[place].as_str(), Cow::Owned(bytes)))
                });
                let names = write_archive(pictures, &archive)?;
                write_order(
                    &list,
                    &order,
                    &ImageList::named(names.clone())?,
                    &order_file,
                )?;
                (order, names)
            }
        };
        Ok(Self {
            archive,
            labels: beside.join(LABELS),
            paths: list,
            order,
            names: ImageList::named(names)?,
        })
    }

    /// The labels of the pictures in the order of the tar, and the file with them that is sent.
    pub(crate) fn labels(
        &self,
        of_paths: &Labels,
        classes: &ClassList,
    ) -> anyhow::Result<(Labels, PathBuf)> {
        write_labels(of_paths, &self.order, &self.names, classes, &self.labels)?;
        let sets = self.order.iter().map(|&place| of_paths.get(place).to_vec());
        Ok((Labels::from_sets(sets), self.labels.clone()))
    }

    pub(crate) fn names(&self) -> ImageList {
        self.names.clone()
    }
}

/// The paths of the pictures below a directory, in no order.
pub(crate) fn pictures_below(directory: &Path) -> anyhow::Result<Vec<String>> {
    let (mut paths, mut newest) = (Vec::new(), SystemTime::UNIX_EPOCH);
    find(directory, "", &mut paths, &mut newest)?;
    ensure!(
        !paths.is_empty(),
        "{} holds no pictures; give a directory of JPEG and PNG files",
        directory.display()
    );
    Ok(paths)
}

/// The pictures below a directory, what systems leave behind passed over.
fn find(
    directory: &Path,
    below: &str,
    paths: &mut Vec<String>,
    newest: &mut SystemTime,
) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be read", directory.display());
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let file = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            bail!("the name of {} is not UTF-8; rename it", file.display());
        };
        if name.starts_with('.')
            || matches!(name.as_str(), "Thumbs.db" | "desktop.ini" | "__MACOSX")
        {
            continue;
        }
        let metadata =
            fs::metadata(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let path = format!("{below}{name}");
        if metadata.is_dir() {
            find(&file, &format!("{path}/"), paths, newest)?;
            continue;
        }
        ensure!(
            is_picture(&file)?,
            "{} is neither JPEG nor PNG; keep only pictures below the directory that `images` names",
            file.display()
        );
        *newest = (*newest).max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        paths.push(path);
    }
    Ok(())
}

fn is_picture(file: &Path) -> anyhow::Result<bool> {
    use std::io::Read as _;
    let mut start = Vec::new();
    let opened = fs::File::open(file).and_then(|file| file.take(8).read_to_end(&mut start));
    opened.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(start.starts_with(b"\xff\xd8\xff") || start == b"\x89PNG\r\n\x1a\n")
}

type Kept = Option<(Vec<usize>, Vec<String>)>;

/// The order of a run before and the names in its tar, if it was of the same pictures.
fn kept_order(file: &Path, paths: &[String]) -> anyhow::Result<Kept> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(None);
    };
    let places: HashMap<&str, usize> = (paths.iter().map(String::as_str)).zip(0..).collect();
    let (mut order, mut names) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let Some((name, was)) = line.split_once(',') else {
            bail!(
                "{} is damaged; delete it, and the pictures get another order",
                file.display()
            );
        };
        let was = match was.strip_prefix('"').and_then(|was| was.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => was.to_owned(),
        };
        names.push(name.to_owned());
        order.extend(places.get(was.as_str()));
    }
    let mut sorted = order.clone();
    sorted.sort_unstable();
    let is_same = names.len() == paths.len() && sorted.into_iter().eq(0..paths.len());
    Ok(is_same.then_some((order, names)))
}

//! Challenge directories from what people have: a folder of folders, ILSVRC's files, a table of labels.

mod ilsvrc;
mod imagefolder;
mod matlab;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use referee_networks::images::TestSet;
use referee_scoring::image_order::fault_of_unsaid_order;
use referee_scoring::{ClassList, ImageList, ImageOrder, Labels};

use super::pack;
use crate::manifest::FILE_NAME;
use crate::output;

/// Write a challenge directory from what you have: pictures in folders, ILSVRC's files, or a table of labels
///
/// Nothing is copied but labels and class names: challenge.toml names the pictures where they are.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee challenge import imagefolder val/ --out my-challenge/\n  referee challenge check my-challenge/"
)]
pub struct Import {
    #[command(subcommand)]
    form: Form,
}

#[derive(Subcommand)]
enum Form {
    Imagefolder(imagefolder::Imagefolder),
    Ilsvrc(ilsvrc::Ilsvrc),
    Csv(table::Table),
}

impl Import {
    pub fn run(self) -> anyhow::Result<()> {
        match self.form {
            Form::Imagefolder(import) => import.run(),
            Form::Ilsvrc(import) => import.run(),
            Form::Csv(import) => import.run(),
        }
    }
}

/// Where the challenge goes and what it is called.
#[derive(clap::Args)]
struct Made {
    /// The directory to write [default: one named after the slug]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Names the challenge in addresses and commands [default: after --out, else after the pictures]
    #[arg(long)]
    slug: Option<String>,
    /// [default: the slug]
    #[arg(long)]
    title: Option<String>,
}

/// The pictures of a challenge where they are: a tar, an array, or a directory.
struct Pictures {
    path: PathBuf,
    /// In natural order of the names: challenge.toml says so where it is another than byte order.
    list: ImageList,
}

impl Pictures {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let path = path
            .canonicalize()
            .with_context(|| format!("{} cannot be read", path.display()))?;
        if path.is_dir() {
            let mut names = pack::pictures_below(&path)?;
            // Whoever numbers the pictures of several folders goes by the files' own names.
            let file = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
            names.sort_by(|a, b| {
                ImageOrder::Natural
                    .compare(&file(a), &file(b))
                    .then_with(|| a.cmp(b))
            });
            return Ok(Self {
                list: ImageList::named(names)?,
                path,
            });
        }
        Ok(Self {
            list: TestSet::open(&path)?.in_order(ImageOrder::Natural).list()?,
            path,
        })
    }
}

fn read_classes(file: &Path) -> anyhow::Result<ClassList> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    ClassList::read(&bytes).with_context(|| format!("{} cannot be used", file.display()))
}

/// Writes challenge.toml and what it names, except pictures.
fn write(
    made: &Made,
    named_after: &Path,
    classes: &ClassList,
    labels: &Labels,
    images: &ImageList,
    pictures: Option<&Pictures>,
) -> anyhow::Result<()> {
    let slug = match &made.slug {
        Some(slug) => slug.clone(),
        None => slug_of(made.out.as_deref().unwrap_or(named_after)),
    };
    let title = made.title.as_deref().unwrap_or(&slug);
    let out = made.out.clone().unwrap_or_else(|| PathBuf::from(&slug));
    let manifest = out.join(FILE_NAME);
    ensure!(
        !manifest.exists(),
        "{} is there already; give another --out, or delete it",
        manifest.display()
    );
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let out = out.canonicalize()?;
    let mut text = format!(
        "slug = {}\ntitle = {}\nclasses = \"classes.txt\"\n\n[test]\n",
        quoted(&slug),
        quoted(title)
    );
    if let Some(pictures) = pictures {
        let path = pictures.path.strip_prefix(&out).unwrap_or(&pictures.path);
        writeln!(text, "images = {}", quoted(&path.display().to_string()))?;
    }
    let is_shuffled = pictures.is_some_and(|pictures| pictures.path.is_dir());
    if !is_shuffled && images.names().and_then(fault_of_unsaid_order).is_some() {
        text.push_str("order = \"natural\"   # 2.png before 10.png; or \"bytes\"\n");
    }
    text.push_str("labels = \"labels.csv\"\n");
    let write = |name: &str, content: &[u8]| {
        let file = out.join(name);
        fs::write(&file, content).with_context(|| format!("{} cannot be written", file.display()))
    };
    write("classes.txt", class_lines(classes).as_bytes())?;
    let mut rows = Vec::new();
    labels.write_csv(&mut rows, images, classes)?;
    write("labels.csv", &rows)?;
    write(FILE_NAME, text.as_bytes())?;
    output::print_line(&format!(
        "{} is written: {} images in {} classes. Next: `referee challenge check {}`",
        manifest.display(),
        labels.len(),
        classes.len(),
        manifest.parent().unwrap_or(&out).display()
    ))
}

fn class_lines(classes: &ClassList) -> String {
    let line = |entry: &referee_scoring::ClassEntry| match &entry.id {
        Some(id) => format!("{}\t{id}\n", entry.name),
        None => format!("{}\n", entry.name),
    };
    classes.entries().iter().map(line).collect()
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What a slug makes of a path's last part.
fn slug_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let letters: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    let slug = letters.trim_matches('-');
    if slug.len() < 2 {
        "my-challenge".to_owned()
    } else {
        slug.to_owned()
    }
}

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use referee_scoring::{Class, ClassEntry, ClassList, Labels};

use super::{Made, Pictures, write};

/// From a folder of folders, one for each class, as torchvision's ImageFolder reads them
///
/// The classes are the folders in byte order, which is the order of the columns of whatever was trained on them. The folders' names
/// are not sent: pictures go shuffled, under names that say nothing.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge import imagefolder val/ --out my-challenge/")]
pub struct Imagefolder {
    /// The folder that holds a folder for each class
    pictures: PathBuf,
    /// A class list whose names or ids are the folders' names: its order then counts
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    #[command(flatten)]
    made: Made,
}

impl Imagefolder {
    pub fn run(self) -> anyhow::Result<()> {
        let pictures = Pictures::open(&self.pictures)?;
        let paths = pictures.list.names().unwrap_or_default();
        let mut folders = Vec::with_capacity(paths.len());
        for path in paths {
            let Some((folder, _)) = path.split_once('/') else {
                bail!(
                    "{} is in no folder below {}; an ImageFolder holds a folder for each class",
                    path,
                    self.pictures.display()
                );
            };
            folders.push(folder);
        }
        if let Some(folder) = folders.first()
            && folders.iter().all(|other| other == folder)
        {
            bail!(
                "all pictures are in the one folder {folder}, which would be the only class; an ImageFolder holds a folder for each class: is it {}?",
                self.pictures.join(folder).display()
            );
        }
        let classes = match &self.classes {
            Some(file) => super::read_classes(file)?,
            None => classes_of(&folders)?,
        };
        let class = |folder: &&str| {
            let found = classes.entries().iter().position(|entry| {
                entry.id.as_deref() == Some(*folder)
                    || entry.name == *folder
                    || entry.name == format!("class {folder}")
            });
            let found = found.and_then(|class| u16::try_from(class).ok()).map(Class);
            found.with_context(|| {
                format!("no class is called `{folder}`, as a folder is; add it to the class list")
            })
        };
        let sets = folders
            .iter()
            .map(class)
            .collect::<anyhow::Result<Vec<Class>>>()?;
        let labels = Labels::from_sets(sets.into_iter().map(|class| vec![class]));
        write(
            &self.made,
            &self.pictures,
            &classes,
            &labels,
            &pictures.list,
            Some(&pictures),
        )
    }
}

/// The folders in byte order; a number that would be read as another class's index is not left alone.
fn classes_of(folders: &[&str]) -> anyhow::Result<ClassList> {
    let mut names: Vec<&str> = folders.to_vec();
    names.sort_unstable();
    names.dedup();
    let entry = |(index, name): (usize, &&str)| ClassEntry {
        name: if name.parse::<u64>().is_ok() && **name != index.to_string() {
            format!("class {name}")
        } else {
            (*name).to_owned()
        },
        id: None,
    };
    Ok(ClassList::new(
        names.iter().enumerate().map(entry).collect(),
    )?)
}

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use referee_client::Client;
use referee_client::documents::StoredFile;
use referee_client::http::{Asset, sha256_of};

use crate::connection::Connection;
use crate::{output, progress};

/// Download a challenge's files; what was begun is continued, what is there already is left alone
///
/// image-names.txt lists the test images in the order of their lines in a text file and their rows in an array.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge download fashion-mnist --out data/")]
pub struct Download {
    #[arg(value_name = "SLUG")]
    challenge: String,
    /// Where to put them [default: a directory named after the challenge]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only the file with this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Download {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let challenge = client.challenge(&self.challenge).await?;
        let validation = challenge.validation.as_ref();
        let own = [
            (
                Asset::TestImages,
                challenge
                    .test
                    .file
                    .as_ref()
                    .filter(|_| challenge.test.public_images),
            ),
            (
                Asset::ValidationImages,
                validation.and_then(|validation| validation.images.as_ref()),
            ),
            (
                Asset::ValidationLabels,
                validation.and_then(|validation| validation.labels.as_ref()),
            ),
        ];
        let own = own
            .into_iter()
            .filter_map(|(asset, file)| Some((asset, file?)));
        let keyed = challenge
            .files
            .iter()
            .map(|(key, file)| (Asset::File(key), file));
        let mut wanted = named(own.chain(keyed))?;
        wanted.retain(|(asset, ..)| {
            self.key
                .as_deref()
                .is_none_or(|key| *asset == Asset::File(key))
        });
        if let Some(key) = &self.key {
            ensure!(
                !wanted.is_empty(),
                "{} has no file `{key}`; `referee challenge show {0}` lists them",
                self.challenge
            );
        }
        let directory = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(&self.challenge));
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        for (asset, stored, name) in wanted {
            let to = directory.join(name);
            download(&client, &self.challenge, asset, stored, &to).await?;
        }
        if challenge.test.named_images && self.key.is_none() {
            let names = client.image_names(&self.challenge).await?;
            write_names(&names.unwrap_or_default(), &directory.join(NAMES))?;
        }
        Ok(())
    }
}

/// In the order that the lines of a text file and the rows of an array must have.
const NAMES: &str = "image-names.txt";

/// One name a line; a line break in a name becomes a blank.
fn write_names(names: &[String], to: &Path) -> anyhow::Result<()> {
    let lines: String = (names.iter())
        .map(|name| name.replace(['\n', '\r'], " ") + "\n")
        .collect();
    std::fs::write(to, lines).with_context(|| format!("{} cannot be written", to.display()))?;
    output::print_line(&to.display().to_string())
}

type Named<'a> = (Asset<'a>, &'a StoredFile, String);

/// The name that each file is kept under: its own, after what it is (`validation-images-images.npy`) where several have that.
///
/// # Errors
/// Names that no file can have.
fn named<'a>(
    files: impl Iterator<Item = (Asset<'a>, &'a StoredFile)>,
) -> anyhow::Result<Vec<Named<'a>>> {
    let mut files = files
        .map(|(asset, stored)| Ok((asset, stored, bare_name(&stored.filename)?)))
        .collect::<anyhow::Result<Vec<Named<'_>>>>()?;
    let mut uses: HashMap<String, usize> = HashMap::new();
    for (.., name) in &files {
        *uses.entry(name.clone()).or_default() += 1;
    }
    for (asset, _, name) in &mut files {
        if uses[name] > 1 {
            *name = format!("{}-{name}", kind_of(*asset));
        }
    }
    Ok(files)
}

/// A name from the server may not lead out of the directory.
fn bare_name(filename: &str) -> anyhow::Result<String> {
    let name = Path::new(filename).file_name().with_context(|| {
        format!("the server calls a file `{filename}`, which no file can be called")
    })?;
    Ok(name.to_string_lossy().into_owned())
}

fn kind_of(asset: Asset<'_>) -> &str {
    match asset {
        Asset::TestImages => "test-images",
        Asset::ValidationImages => "validation-images",
        Asset::ValidationLabels => "validation-labels",
        Asset::File(key) => key,
    }
}

async fn download(
    client: &Client,
    slug: &str,
    asset: Asset<'_>,
    stored: &StoredFile,
    to: &Path,
) -> anyhow::Result<()> {
    if to.exists() && sha256_of(to).await? == stored.sha256 {
        return output::print_line(&format!("{} is there already.", to.display()));
    }
    let bar = progress::transfer(&stored.filename, stored.bytes);
    let result = client
        .download_asset(slug, asset, stored, to, Some(&progress::watch(&bar)))
        .await;
    bar.finish_and_clear();
    result?;
    output::print_line(&to.display().to_string())
}

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use referee_client::Client;
use referee_client::documents::StoredFile;
use referee_client::http::{Asset, sha256_of};

use crate::connection::Connection;
use crate::{output, progress};

/// Download a challenge's files; what was begun is continued, what is there already is left alone
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
        let wanted = own.chain(keyed).filter(|(asset, _)| {
            self.key
                .as_deref()
                .is_none_or(|key| *asset == Asset::File(key))
        });
        let wanted: Vec<_> = wanted.collect();
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
        for (asset, stored) in wanted {
            download(&client, &self.challenge, asset, stored, &directory).await?;
        }
        Ok(())
    }
}

async fn download(
    client: &Client,
    slug: &str,
    asset: Asset<'_>,
    stored: &StoredFile,
    directory: &Path,
) -> anyhow::Result<()> {
    // A name from the server may not lead out of the directory.
    let name = Path::new(&stored.filename).file_name().with_context(|| {
        format!(
            "the server calls a file `{}`, which no file can be called",
            stored.filename
        )
    })?;
    let to = directory.join(name);
    if to.exists() && sha256_of(&to).await? == stored.sha256 {
        return output::print_line(&format!("{} is there already.", to.display()));
    }
    let bar = progress::transfer(&stored.filename, stored.bytes);
    let result = client
        .download_asset(slug, asset, stored, &to, Some(&progress::watch(&bar)))
        .await;
    bar.finish_and_clear();
    result?;
    output::print_line(&to.display().to_string())
}

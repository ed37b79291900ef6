use std::path::{Path, PathBuf};

use reqwest::header::RANGE;
use reqwest::{Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::retry::Patience;
use super::{Asset, Client, ClientError, Watch};
use crate::documents::StoredFile;

impl Client {
    /// Downloads a file of a challenge and checks it against the digest that the challenge states.
    ///
    /// What an earlier attempt left in `{to}.part` is continued. `to` appears when it is complete.
    pub async fn download_asset(
        &self,
        slug: &str,
        asset: Asset<'_>,
        stored: &StoredFile,
        to: &Path,
        watch: Option<&Watch>,
    ) -> Result<(), ClientError> {
        self.download(&asset.path(slug), to, Some(&stored.sha256), watch)
            .await
    }

    pub(super) async fn download(
        &self,
        path: &[&str],
        to: &Path,
        sha256: Option<&str>,
        watch: Option<&Watch>,
    ) -> Result<(), ClientError> {
        let part = part_of(to);
        if sha256.is_none() {
            // Without a digest nobody could tell whether an old part belongs to the same file.
            let _ = fs::remove_file(&part).await;
        }
        let mut patience = Patience::new();
        let mut furthest = length_of(&part).await;
        loop {
            match self.continue_download(path, &part, watch).await {
                Ok(()) => break,
                Err(error) => {
                    let there = length_of(&part).await;
                    if there > furthest {
                        furthest = there;
                        patience.reached();
                    }
                    patience.wait_out(error).await?;
                }
            }
        }
        if let Some(sha256) = sha256
            && sha256_of(&part).await? != sha256
        {
            let _ = fs::remove_file(&part).await;
            return Err(ClientError::Damaged {
                path: to.to_owned(),
            });
        }
        fs::rename(&part, to)
            .await
            .map_err(|source| ClientError::File {
                path: to.to_owned(),
                source,
            })
    }

    async fn continue_download(
        &self,
        path: &[&str],
        part: &Path,
        watch: Option<&Watch>,
    ) -> Result<(), ClientError> {
        let at_part = |source| ClientError::File {
            path: part.to_owned(),
            source,
        };
        let there = length_of(part).await;
        let request = self.request(Method::GET, path);
        let response = if there == 0 {
            self.send(request).await?
        } else {
            match self
                .send(request.header(RANGE, format!("bytes={there}-")))
                .await
            {
                // Nothing is left to ask for.
                Err(error)
                    if error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16()) =>
                {
                    return Ok(());
                }
                answer => answer?,
            }
        };
        let continues = response.status() == StatusCode::PARTIAL_CONTENT;
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(continues)
            .truncate(!continues)
            .open(part)
            .await
            .map_err(at_part)?;
        self.receive(
            response,
            &mut file,
            if continues { there } else { 0 },
            watch,
            at_part,
        )
        .await
    }

    async fn receive(
        &self,
        mut response: Response,
        file: &mut File,
        mut received: u64,
        watch: Option<&Watch>,
        at_part: impl Fn(std::io::Error) -> ClientError,
    ) -> Result<(), ClientError> {
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.lost(&source))?
        {
            file.write_all(&chunk).await.map_err(&at_part)?;
            received += chunk.len() as u64;
            if let Some(watch) = watch {
                watch(received);
            }
        }
        file.sync_all().await.map_err(at_part)
    }
}

fn part_of(to: &Path) -> PathBuf {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

/// Bytes; 0 where there is no file yet.
async fn length_of(part: &Path) -> u64 {
    fs::metadata(part)
        .await
        .map_or(0, |metadata| metadata.len())
}

/// The SHA-256 of a file in 64 hexadecimal digits, as [`StoredFile::sha256`] has it.
pub async fn sha256_of(path: &Path) -> Result<String, ClientError> {
    let at_path = |source| ClientError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).await.map_err(at_path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).await.map_err(at_path)?;
        if read == 0 {
            return Ok(hexadecimal(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

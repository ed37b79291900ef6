use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use referee_client::documents::{CommitmentDocument, CommitmentOpening};
use referee_scoring::commitment::commitment;
use referee_scoring::{Bitmap, Labels};
use serde_json::json;

use super::check::challenge_facts;
use crate::connection::Connection;
use crate::input;
use crate::output::{self, WrongFile};

/// Check a labels file against what a challenge committed to when it was published
///
/// For its organizers once the private scores are released (where all images are public, once it has closed); for everyone where the
/// organizers have put the labels among the challenge's files, as test-labels.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee challenge download fashion-mnist\n  referee verify fashion-mnist --labels test-labels.csv"
)]
pub struct Verify {
    #[arg(value_name = "SLUG")]
    challenge: String,
    /// The labels as they were uploaded: CSV with the header image,label
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The commitment as you kept it, instead of the server's word for it
    #[arg(long, value_name = "SHA256")]
    commitment: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Verify {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let made = client.commitment(&self.challenge).await?;
        let opening = opening(&made)?;
        let (classes, _, images) = challenge_facts(&client, &self.challenge).await?;
        let file = input::open(&self.labels)?;
        let (labels, _) =
            Labels::parse_csv(file, &classes, Some(&images)).map_err(WrongFile::from)?;
        let public = hexadecimal(&opening.public_images)
            .and_then(|bytes| Bitmap::from_bytes(bytes, labels.len()))
            .context("the server's split is for another number of images; update referee")?;
        let salt: [u8; 32] = hexadecimal(&opening.salt)
            .and_then(|bytes| bytes.try_into().ok())
            .context("the server's salt is not 64 hexadecimal digits; update referee")?;
        let found = commitment(&salt, &opening.rules, &classes, &labels, &public)
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let expected = self.commitment.as_deref().unwrap_or(&made.sha256);
        let agrees = found.eq_ignore_ascii_case(expected);
        if self.json {
            output::print_json(&json!({
                "agrees": agrees,
                "label_version": made.label_version,
                "committed": expected,
                "found": found,
                "rules": opening.rules,
            }))?;
        }
        ensure!(
            agrees,
            "{} is not what {} committed to: version {} of its labels, with split and rules, has the commitment {expected}, this file {found}",
            self.labels.display(),
            self.challenge,
            made.label_version
        );
        if self.json {
            return Ok(());
        }
        output::print_line(&format!(
            "{} holds the labels that {} committed to, version {}: {expected}\nThe rules then: {}.",
            self.labels.display(),
            self.challenge,
            made.label_version,
            opening.rules.trim_end().replace('\n', ", ")
        ))
    }
}

fn opening(made: &CommitmentDocument) -> anyhow::Result<&CommitmentOpening> {
    match (&made.opening, &made.sealed_because) {
        (Some(opening), _) => Ok(opening),
        (None, Some(why)) => bail!("the commitment {} cannot be checked: {why}", made.sha256),
        (None, None) => bail!("the server does not open the commitment {}", made.sha256),
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

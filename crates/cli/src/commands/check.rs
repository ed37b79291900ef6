use std::path::PathBuf;

use anyhow::Context as _;
use referee_scoring::{ClassEntry, ClassList, Expected, ImageList, predictions};
use serde_json::json;

use crate::connection::Connection;
use crate::input;
use crate::output::{self, WrongFile};

/// Check a prediction file as the server would, before uploading it
///
/// The classes and images are those of a challenge, or given with --classes and --images, without a server.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee check predictions.csv --challenge fashion-mnist")]
pub struct Check {
    /// The predictions; - for stdin
    file: PathBuf,
    #[arg(long, value_name = "SLUG", required_unless_present_all = ["classes", "images"], conflicts_with_all = ["classes", "images"])]
    challenge: Option<String>,
    /// A class list: one name a line
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// The number of test images
    #[arg(long, value_name = "N")]
    images: Option<usize>,
    /// Each class is followed by the four integers of a box, which are ignored
    #[arg(long)]
    boxes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Check {
    pub async fn run(self) -> anyhow::Result<()> {
        if let Err(refused) = input::refuse_model(&self.file) {
            if self.json {
                output::print_json(
                    &json!({"valid": false, "detail": refused.to_string(), "errors": []}),
                )?;
            }
            return Err(refused);
        }
        let (classes, images) = self.public_facts().await?;
        let file = input::open(&self.file)?;
        let expected = Expected {
            classes: &classes,
            images: &images,
            boxes: self.boxes,
            devkit: false,
        };
        match predictions::read(file, &expected) {
            Ok(predictions) if self.json => output::print_json(&json!({
                "valid": true,
                "format": predictions.format,
                "images": predictions.record.len(),
                "notices": predictions.notices,
            })),
            Ok(predictions) => {
                for notice in &predictions.notices {
                    output::print_line(&format!("notice: {}", notice.detail))?;
                }
                let name = input::name(&self.file);
                output::print_line(&format!(
                    "{name} is fine: predictions for {} images.",
                    predictions.record.len()
                ))
            }
            Err(error) => {
                if self.json {
                    output::print_json(
                        &json!({"valid": false, "detail": error.detail, "errors": error.errors}),
                    )?;
                }
                Err(WrongFile::from(error).into())
            }
        }
    }

    async fn public_facts(&self) -> anyhow::Result<(ClassList, ImageList)> {
        if let (Some(classes), Some(images)) = (&self.classes, self.images) {
            return Ok((
                ClassList::parse(&input::text(classes)?)?,
                ImageList::ordinals(images),
            ));
        }
        let slug = self
            .challenge
            .as_deref()
            .context("give --challenge SLUG, or both --classes FILE and --images N")?;
        let client = self.connection.client()?;
        let challenge = client.challenge(slug).await?;
        let entries = challenge.classes.into_iter().map(|class| ClassEntry {
            name: class.name,
            id: class.id,
        });
        let classes = ClassList::new(entries.collect())?;
        let names = if challenge.test.named_images {
            client.image_names(slug).await?
        } else {
            None
        };
        let images = match names {
            Some(names) => ImageList::named(names)?,
            None => ImageList::ordinals(
                challenge
                    .images
                    .with_context(|| format!("{slug} has no test images yet; ask its organizers"))?
                    as usize,
            ),
        };
        Ok((classes, images))
    }
}

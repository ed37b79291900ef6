use std::path::PathBuf;

use anyhow::Context as _;
use referee_client::Client;
use referee_client::documents::Class;
use referee_scoring::{
    ClassEntry, ClassList, Expected, ImageList, Over, WiderClasses, predictions,
};
use serde_json::json;

use crate::connection::Connection;
use crate::output::{self, WrongFile};
use crate::{input, wider};

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
    /// A longer class list that holds those of --classes, and that the predictions are over
    #[arg(
        long,
        value_name = "FILE",
        requires = "classes",
        conflicts_with = "challenge"
    )]
    wider_classes: Option<PathBuf>,
    /// The predictions are over the challenge's own classes, not over the wider list that it names (`classes=challenge`)
    #[arg(long)]
    own_classes: bool,
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

/// The names of the first three images, where they have any.
fn first_names(images: &ImageList) -> &[String] {
    let names = images.names().unwrap_or_default();
    &names[..names.len().min(3)]
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
        let (classes, wider, images) = self.public_facts().await?;
        let file = input::open(&self.file)?;
        let expected = Expected {
            classes: &classes,
            images: &images,
            boxes: self.boxes,
            devkit: false,
        };
        let over = if self.own_classes {
            Over::Challenge
        } else {
            Over::Wider
        };
        let read = match &wider {
            Some(wider) => predictions::read_within(file, &expected, wider, over),
            None => predictions::read(file, &expected),
        };
        match read {
            Ok(predictions) if self.json => output::print_json(&json!({
                "valid": true,
                "format": predictions.format,
                "images": predictions.record.len(),
                "first_images": first_names(&images),
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
                ))?;
                let first = first_names(&images);
                if !predictions.format.names_images() && !first.is_empty() {
                    output::print_line(&format!(
                        "It names no images, so its lines or rows must be in their order: {}{}",
                        first
                            .iter()
                            .map(|name| format!("`{name}`"))
                            .collect::<Vec<_>>()
                            .join(", "),
                        if images.len() > 3 { ", …" } else { "" }
                    ))?;
                }
                Ok(())
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

    async fn public_facts(&self) -> anyhow::Result<(ClassList, Option<WiderClasses>, ImageList)> {
        if let (Some(classes), Some(images)) = (&self.classes, self.images) {
            let classes = input::class_list(classes)?;
            let wider = self.wider_classes.as_deref();
            let wider = wider.map(|path| wider::read(path, &classes)).transpose()?;
            return Ok((classes, wider, ImageList::ordinals(images)));
        }
        let slug = self
            .challenge
            .as_deref()
            .context("give --challenge SLUG, or both --classes FILE and --images N")?;
        challenge_facts(&self.connection.client()?, slug).await
    }
}

/// The classes, the longer list if it names one, and the images of a challenge.
pub(super) async fn challenge_facts(
    client: &Client,
    slug: &str,
) -> anyhow::Result<(ClassList, Option<WiderClasses>, ImageList)> {
    let challenge = client.challenge(slug).await?;
    let list = |classes: Vec<Class>| {
        let entries = classes.into_iter().map(|class| ClassEntry {
            name: class.name,
            id: class.id,
        });
        ClassList::new(entries.collect())
    };
    let classes = list(challenge.classes)?;
    let wider = match challenge.test.wider_classes {
        Some(wider) => Some(WiderClasses::new(list(wider)?, &classes)?),
        None => None,
    };
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
    Ok((classes, wider, images))
}

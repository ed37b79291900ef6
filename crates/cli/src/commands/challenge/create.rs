use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use referee_client::Client;
use referee_client::documents::{
    ChallengeDocument, ChallengePatch, ChallengeSettings, LeaderboardPatch, LimitsPatch,
    RulesPatch, SchedulePatch, State, StoredFile, TestPatch,
};
use referee_client::http::{Asset, Upload, sha256_of};
use referee_networks::images::TestSet;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::connection::Connection;
use crate::manifest::ChallengeDirectory;
use crate::{output, progress};

/// How long the workers' look at what was uploaded is waited for: 50,000 photographs take ten minutes.
const CHECKING: Duration = Duration::from_hours(1);

/// Upload a challenge's directory and publish it; run again, it uploads what changed
///
/// Everything is checked first, as `referee challenge check` does; pictures are decoded before they are sent.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge create fashion-mnist/")]
pub struct Create {
    /// The directory that holds challenge.toml
    dir: PathBuf,
    /// Leave it a draft, which only its organizers see
    #[arg(long)]
    draft: bool,
    /// The labels are public anyway: publish although something gives them away
    #[arg(long)]
    known_labels: bool,
    /// Print the challenge as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub async fn run(self) -> anyhow::Result<()> {
        let directory = ChallengeDirectory::open(&self.dir)?;
        if let Some(notice) = directory.notice() {
            eprintln!("notice: {notice}");
        }
        if !self.draft && !self.known_labels {
            directory.refuse_leaks()?;
        }
        let client = self.connection.signed_in()?;
        let challenge = if self.draft {
            upload(&client, &directory).await?
        } else {
            publish_directory(&client, &directory, self.known_labels).await?
        };
        if self.json {
            return output::print_json(&challenge);
        }
        let (slug, server) = (&challenge.slug, client.server());
        output::print_line(&format!(
            "{} is {}: {server}/challenges/{slug}",
            challenge.title,
            state_in_words(challenge.state)
        ))
    }
}

fn state_in_words(state: State) -> &'static str {
    match state {
        State::Draft => "a draft",
        State::Upcoming => "published and will open",
        State::Open => "open",
        State::Closed => "closed",
    }
}

/// Uploads what the server does not have yet and publishes the challenge, if it is not public already.
pub async fn publish_directory(
    client: &Client,
    directory: &ChallengeDirectory,
    known_labels: bool,
) -> anyhow::Result<ChallengeDocument> {
    let challenge = upload(client, directory).await?;
    if challenge.state != State::Draft {
        return Ok(challenge);
    }
    wait_until_checked(client, &challenge.slug).await?;
    let patch = ChallengePatch {
        published: Some(true),
        known_labels: known_labels.then_some(true),
        ..ChallengePatch::default()
    };
    Ok(client.update_challenge(&challenge.slug, &patch).await?)
}

/// Makes the challenge on the server what the directory says.
async fn upload(
    client: &Client,
    directory: &ChallengeDirectory,
) -> anyhow::Result<ChallengeDocument> {
    let slug = directory.settings.slug.as_str();
    let there = match client.challenge(slug).await {
        Ok(there) => {
            let patch = difference(&there, &directory.settings);
            if patch == ChallengePatch::default() {
                there
            } else {
                client.update_challenge(slug, &patch).await?
            }
        }
        Err(error) if error.status() == Some(404) => {
            client.create_challenge(&directory.settings).await?
        }
        Err(error) => return Err(error.into()),
    };
    let validation = there.validation.as_ref();
    let at = |name: &Path| directory.path.join(name);
    if let Some(images) = &directory.images {
        put_if_changed(
            client,
            slug,
            Asset::TestImages,
            there.test.file.as_ref(),
            images.path(),
        )
        .await?;
    }
    if let Some(wanted) = &directory.manifest.validation {
        let images = validation.and_then(|validation| validation.images.as_ref());
        put_if_changed(
            client,
            slug,
            Asset::ValidationImages,
            images,
            &at(&wanted.images),
        )
        .await?;
        let labels = validation.and_then(|validation| validation.labels.as_ref());
        put_if_changed(
            client,
            slug,
            Asset::ValidationLabels,
            labels,
            &at(&wanted.labels),
        )
        .await?;
    }
    for (key, file) in &directory.manifest.files {
        put_if_changed(
            client,
            slug,
            Asset::File(key),
            there.files.get(key),
            &at(file),
        )
        .await?;
    }
    let labels = Upload::file(&at(directory.manifest.test.labels.get_ref()));
    progress::with_bar(labels, async |labels| {
        client.put_labels(slug, &labels).await
    })
    .await?;
    Ok(client.challenge(slug).await?)
}

async fn put_if_changed(
    client: &Client,
    slug: &str,
    asset: Asset<'_>,
    stored: Option<&StoredFile>,
    path: &Path,
) -> anyhow::Result<()> {
    let upload = Upload::file(path);
    if let Some(stored) = stored {
        // The digest of a large file takes seconds; its length rules most changes out at once.
        let same = stored.bytes == upload.length().await?
            && stored.filename == upload.filename()
            && stored.sha256 == sha256_of(path).await?;
        if same {
            return Ok(());
        }
    }
    if matches!(asset, Asset::TestImages | Asset::ValidationImages) {
        let path = path.to_owned();
        spawn_blocking(move || check_pictures(&path)).await??;
    }
    Ok(progress::with_bar(upload, async |file| {
        client.put_asset(slug, asset, &file).await
    })
    .await?)
}

/// Decodes every picture of a set of images, as running a model would.
///
/// # Errors
/// Names those that cannot be decoded.
pub fn check_pictures(path: &Path) -> anyhow::Result<()> {
    let set = TestSet::open(path)?;
    let bar = progress::counter("decoding pictures", set.len());
    let checked = set.check(|tried| {
        bar.set_position(tried as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    checked
        .map(drop)
        .with_context(|| format!("{} cannot be used", path.display()))
}

/// Waits until the workers have looked at the labels and the pictures of a draft.
async fn wait_until_checked(client: &Client, slug: &str) -> anyhow::Result<()> {
    let spinner = progress::spinner("");
    let until = Instant::now() + CHECKING;
    let mut pause = Duration::from_millis(50);
    while let Some(publishing) = client.challenge(slug).await?.publishing
        && publishing.checking
    {
        let waits_for = publishing.waits_for.join("; ");
        if Instant::now() > until {
            bail!(
                "the challenge is still a draft, because {waits_for}; then run this command again"
            );
        }
        spinner.set_message(waits_for);
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    spinner.finish_and_clear();
    Ok(())
}

/// What must change for `there` to be as `wanted`.
fn difference(there: &ChallengeDocument, wanted: &ChallengeSettings) -> ChallengePatch {
    fn changed<T: PartialEq + Clone>(there: &T, wanted: &T) -> Option<T> {
        (there != wanted).then(|| wanted.clone())
    }
    fn any<T: Default + PartialEq>(patch: T) -> Option<T> {
        (patch != T::default()).then_some(patch)
    }
    ChallengePatch {
        title: changed(&there.title, &wanted.title),
        series: changed(&there.series, &wanted.series),
        description: changed(&there.description, &wanted.description),
        classes: changed(&there.classes, &wanted.classes),
        test: any(TestPatch {
            public_images: changed(&there.test.public_images, &wanted.test.public_images),
        }),
        schedule: any(SchedulePatch {
            opens: changed(&there.schedule.opens, &wanted.schedule.opens),
            closes: changed(&there.schedule.closes, &wanted.schedule.closes),
            after_close: changed(&there.schedule.after_close, &wanted.schedule.after_close),
        }),
        limits: any(LimitsPatch {
            per_day: changed(&there.limits.per_day, &wanted.limits.per_day),
            per_week: changed(&there.limits.per_week, &wanted.limits.per_week),
            total: changed(&there.limits.total, &wanted.limits.total),
            upload_mb: changed(&there.limits.upload_mb, &wanted.limits.upload_mb),
        }),
        leaderboard: any(LeaderboardPatch {
            primary: changed(&there.leaderboard.primary, &wanted.primary()),
            public_fraction: changed(
                &there.leaderboard.public_fraction,
                &wanted.leaderboard.public_fraction,
            ),
            feedback: changed(&there.leaderboard.feedback, &wanted.leaderboard.feedback),
            ranking: changed(&there.leaderboard.ranking, &wanted.leaderboard.ranking),
            final_selections: changed(
                &there.leaderboard.final_selections,
                &wanted.leaderboard.final_selections,
            ),
            reference: changed(&there.leaderboard.reference, &wanted.leaderboard.reference),
        }),
        rules: any(RulesPatch {
            outside_data: changed(&there.rules.outside_data, &wanted.rules.outside_data),
        }),
        published: None,
        known_labels: None,
    }
}

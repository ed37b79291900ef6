//! Bars and spinners on stderr. They stay away where stderr is no terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressState, ProgressStyle};
use referee_client::documents::{Kind, Status, Submission};
use referee_client::http::{Upload, Watch};

use crate::output;

/// A bar over `total` bytes.
pub fn transfer(label: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg}  {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}",
    );
    let bar = ProgressBar::new(total).with_message(label.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Moves the bar to where a transfer is.
pub fn watch(bar: &ProgressBar) -> Watch {
    let bar = bar.clone();
    Arc::new(move |bytes| bar.set_position(bytes))
}

/// Sends through `send` what reports to a bar, and clears the bar.
pub async fn with_bar<T, E>(
    upload: Upload,
    send: impl AsyncFnOnce(Upload) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<referee_client::ClientError>,
{
    let bar = transfer(upload.filename(), upload.length().await?);
    let result = send(upload.watched(watch(&bar))).await;
    bar.finish_and_clear();
    result
}

/// A spinner for what takes as long as it takes.
pub fn spinner(message: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// What a submission waits for or is going through, in a few words.
pub fn stage(submission: &Submission) -> String {
    if let (Status::Queued, Some(progress)) = (submission.status, &submission.progress) {
        return format!("{}; it is tried again by itself", progress.stage);
    }
    if let Some(queue) = &submission.queue {
        let workers = match queue.workers_alive {
            0 => "no worker is alive".to_owned(),
            1 => "1 worker at work".to_owned(),
            workers => format!("{workers} workers at work"),
        };
        let eta = queue
            .eta_seconds
            .map(|seconds| format!(", about {seconds:.0} s"))
            .unwrap_or_default();
        return format!("queued: place {}{eta}, {workers}", queue.position);
    }
    match &submission.progress {
        Some(progress) => {
            let speed = progress
                .images_per_second
                .map(|speed| format!(", {} images/s", output::speed(speed)))
                .unwrap_or_default();
            let (done, total) = (progress.done, progress.total);
            let how_far = match submission.kind {
                Kind::Predictions => format!("{} of {}", HumanBytes(done), HumanBytes(total)),
                Kind::Model => format!("{done} of {total} images"),
            };
            format!("{}: {how_far}{speed}", progress.stage)
        }
        None => submission.status.to_string(),
    }
}

/// A bar over a number of things.
pub fn counter(label: &str, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}  {wide_bar} {pos}/{len}  {eta}");
    let bar = ProgressBar::new(total as u64).with_message(label.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// A bar over images, with the speed.
pub fn images(total: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} images  {speed}/s  {eta} left");
    let speed = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A bar that cannot be written to is not drawn.
        let _ = text.write_str(&output::speed(state.per_sec()));
    };
    let bar = ProgressBar::new(total as u64);
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("speed", speed),
    );
    bar
}

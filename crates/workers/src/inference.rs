use std::time::Duration;

use referee_storage::InferenceDb;
use referee_storage::presence::Presence;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::WorkerError;

/// Stands by as an inference worker until `shutdown`: holds its place among the living, takes no job. Models are refused
/// at the door for as long as no engine runs them.
pub async fn run_inference(
    db: InferenceDb,
    device: &str,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let presence = Presence::of_inference(&db, device);
    let mut beat = interval(Duration::from_secs(2));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = beat.tick() => if let Err(error) = presence.renew().await {
                tracing::warn!(%error, "the inference worker's sign of life did not reach the database");
            },
        }
    }
    presence.leave().await?;
    Ok(())
}

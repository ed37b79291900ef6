//! A look at uploaded pictures before a model needs them: one that cannot be decoded would stop every model of its challenge.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::Duration;

use referee_storage::inference::{self, StoredImages};
use tokio::time::sleep;

use super::Inference;
use super::part::Unfinished;
use super::run::Stop;
use super::test_set::Uploaded;

impl Inference {
    /// Decodes the pictures of one set that nobody has looked at, where there is one, and tells its organizers which cannot be
    /// decoded. Unless it goes on `to_the_end`, it leaves off when a model comes.
    pub(super) async fn look_at_images(&self, to_the_end: bool) -> Result<(), Unfinished> {
        let Some(images) = inference::take_unchecked(&self.db).await? else {
            return Ok(());
        };
        let worker = self.clone();
        let go_on =
            move || (to_the_end || !worker.turns.is_wanted()) && !worker.shutdown.is_cancelled();
        let looked = async {
            let uploaded = Uploaded::open(self, &images).await?;
            uploaded.undecodable(go_on).await
        };
        let looked = tokio::select! {
            looked = looked => looked,
            never = self.hold(&images) => match never {},
        };
        match looked {
            Ok(ControlFlow::Continue(problem)) => {
                if let Some(problem) = &problem {
                    tracing::error!(
                        problem,
                        object = images.object_key,
                        "no model can be run on these images"
                    );
                }
                Ok(inference::finish_check(&self.db, &images, problem.as_deref()).await?)
            }
            Ok(ControlFlow::Break(())) => Ok(inference::leave_check(&self.db, &images).await?),
            // The lease runs out, then the next one tries.
            Err(Stop::Trouble { cause, .. } | Stop::Broke(cause)) => {
                Err(Unfinished::Trouble(cause))
            }
            Err(Stop::Over | Stop::Killed | Stop::Ended(_)) => Ok(()),
        }
    }

    /// Keeps other workers from what this one is looking at, for as long as it lives.
    async fn hold(&self, images: &StoredImages) -> Infallible {
        loop {
            sleep(Duration::from_secs(10)).await;
            if let Err(error) = inference::hold_check(&self.db, images).await {
                tracing::warn!(%error, "another worker may begin with the pictures that this one looks at");
            }
        }
    }
}

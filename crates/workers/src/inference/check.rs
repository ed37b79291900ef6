//! A look at uploaded pictures before a model needs them: one that cannot be decoded would stop every model of its challenge.

use std::ops::ControlFlow;

use referee_storage::inference::{self, StoredImages};

use super::Inference;
use super::run::{Stop, Unfinished};
use super::test_set::Uploaded;

impl Inference {
    /// Decodes the pictures of one set that nobody has looked at, where there is one, and tells its organizers which cannot be
    /// decoded. Leaves off when a model comes.
    pub(super) async fn look_at_images(&self) -> Result<(), Unfinished> {
        let Some(images) = inference::take_unchecked(&self.db).await? else {
            return Ok(());
        };
        match self.undecodable(&images).await {
            Ok(ControlFlow::Continue(problem)) => {
                inference::finish_check(&self.db, &images, problem.as_deref()).await?;
                Ok(())
            }
            Ok(ControlFlow::Break(())) => {
                inference::leave_check(&self.db, &images).await?;
                Ok(())
            }
            Err(Stop::Storage(error)) => Err(error.into()),
            // The lease runs out, then the next one tries.
            Err(Stop::Trouble { cause, .. }) => Err(Unfinished::Trouble(cause)),
            Err(Stop::Over | Stop::Killed | Stop::Ended(_)) => Ok(()),
        }
    }

    /// The sentence that names the pictures; breaks where it left off.
    async fn undecodable(
        &self,
        images: &StoredImages,
    ) -> Result<ControlFlow<(), Option<String>>, Stop> {
        let uploaded = Uploaded::open(self, images).await?;
        let worker = self.clone();
        let go_on = move || !worker.turns.is_wanted() && !worker.shutdown.is_cancelled();
        Ok(match uploaded.check(go_on).await? {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(None),
            Ok(ControlFlow::Break(())) => ControlFlow::Break(()),
            Err(undecodable) => {
                let problem = undecodable.to_string();
                tracing::error!(
                    problem,
                    object = images.object_key,
                    "uploaded images cannot be used"
                );
                ControlFlow::Continue(Some(problem))
            }
        })
    }
}

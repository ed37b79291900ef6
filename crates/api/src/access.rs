//! Who may see and run a challenge.

use referee_storage::accounts::{Role, User};
use referee_storage::challenges::{self, Challenge, organizers};

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::problem::Problem;

/// A challenge that whoever asks may see.
pub struct Visible {
    pub challenge: Challenge,
    /// Whether whoever asks runs it; administrators run every challenge.
    pub is_organizer: bool,
}

impl App {
    /// # Errors
    /// 404 where there is no such challenge, and for drafts of others.
    pub async fn visible_challenge(
        &self,
        slug: &str,
        viewer: &MaybeSignedIn,
    ) -> Result<Visible, Problem> {
        let missing = || Problem::not_found(format!("there is no challenge `{slug}`"));
        let challenge = challenges::challenge(&self.db, slug)
            .await?
            .ok_or_else(missing)?;
        let is_organizer = match &viewer.0 {
            Some(user) => self.runs(user, &challenge).await?,
            None => false,
        };
        if challenge.published_at.is_none() && !is_organizer {
            return Err(missing());
        }
        Ok(Visible {
            challenge,
            is_organizer,
        })
    }

    /// # Errors
    /// 404 where there is no such challenge, and for drafts of others; 403 where somebody else runs it.
    pub async fn organized_challenge(
        &self,
        slug: &str,
        user: &SignedIn,
    ) -> Result<Challenge, Problem> {
        let visible = self
            .visible_challenge(slug, &MaybeSignedIn(Some(user.0.clone())))
            .await?;
        if !visible.is_organizer {
            return Err(Problem::forbidden(
                "only this challenge's organizers may do this",
            ));
        }
        Ok(visible.challenge)
    }

    async fn runs(&self, user: &User, challenge: &Challenge) -> Result<bool, Problem> {
        Ok(user.role == Role::Administrator
            || organizers::is_organizer(&self.db, challenge.id, user.id).await?)
    }
}

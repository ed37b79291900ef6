use referee_client::documents::{self, Split};
use referee_storage::accounts::{Role, User};
use referee_storage::challenges::State;
use referee_storage::submissions::{Relation, Status, Submission, relation};
use uuid::Uuid;

use super::{no_submission, stored};
use crate::app::App;
use crate::problem::Problem;

/// What somebody who may see a submission is to it.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Of the team that made it.
    pub member: bool,
    /// Of the challenge, or an administrator.
    pub organizer: bool,
}

impl Access {
    /// Whether they may see all of it.
    pub fn is_insider(self) -> bool {
        self.member || self.organizer
    }

    /// The part of the document that they may see.
    pub fn view(self, document: documents::Submission) -> documents::Submission {
        if self.is_insider() {
            return document;
        }
        documents::Submission {
            description: None,
            problem: None,
            file: None,
            ..document
        }
    }
}

/// The submission, for whoever may see it.
///
/// # Errors
/// 404 where there is none, or it is not theirs and not on the board.
pub async fn look(
    app: &App,
    id: Uuid,
    user: Option<&User>,
) -> Result<(Submission, Access), Problem> {
    let submission = stored(app, id).await?;
    let relation = match user {
        Some(user) => relation(&app.db, &submission, user.id).await?,
        None => Relation::default(),
    };
    let access = Access {
        member: relation.member,
        organizer: relation.organizer || user.is_some_and(|user| user.role == Role::Administrator),
    };
    if access.is_insider() || is_on_board(app, &submission).await? {
        return Ok((submission, access));
    }
    Err(no_submission(id))
}

async fn is_on_board(app: &App, submission: &Submission) -> Result<bool, Problem> {
    let unmarked = submission.withdrawn_at.is_none() && submission.hidden_reason.is_none();
    if submission.status != Status::Scored || !unmarked {
        return Ok(false);
    }
    let standing = app.boards.standing(&submission.slug).await?;
    if standing.state_at(chrono::Utc::now()) == State::Draft {
        return Ok(false);
    }
    if app
        .boards
        .board(&submission.slug, Split::Public)
        .await?
        .shows(submission.id)
    {
        return Ok(true);
    }
    Ok(standing.private_released_at.is_some()
        && app
            .boards
            .board(&submission.slug, Split::Private)
            .await?
            .shows(submission.id))
}

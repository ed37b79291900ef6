use reqwest::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use reqwest::{Method, StatusCode};

use super::retry::Patience;
use super::{ANSWER_TIMEOUT, Client, ClientError, Upload};
use crate::documents::{
    ChallengeChange, ChallengeDocument, ChallengePatch, ChallengeSettings, ChallengeSummary,
    ImageNames, LabelVersion, Leaderboard, Organizer, Split,
};

/// A file of a challenge that goes up and comes down as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset<'a> {
    TestImages,
    ValidationImages,
    ValidationLabels,
    /// What competitors may download, by key.
    File(&'a str),
}

impl<'a> Asset<'a> {
    pub(super) fn path(self, slug: &'a str) -> Vec<&'a str> {
        let mut path = vec!["challenges", slug];
        path.extend_from_slice(match &self {
            Self::TestImages => &["images"],
            Self::ValidationImages => &["validation", "images"],
            Self::ValidationLabels => &["validation", "labels"],
            Self::File(key) => return [path, vec!["files", *key]].concat(),
        });
        path
    }
}

impl Client {
    pub async fn challenges(&self) -> Result<Vec<ChallengeSummary>, ClientError> {
        self.get_all(&["challenges"]).await
    }

    pub async fn challenge(&self, slug: &str) -> Result<ChallengeDocument, ClientError> {
        self.get(&["challenges", slug]).await
    }

    /// What changed since its publication, newest first.
    pub async fn challenge_changes(&self, slug: &str) -> Result<Vec<ChallengeChange>, ClientError> {
        self.get_all(&["challenges", slug, "changes"]).await
    }

    pub async fn create_challenge(
        &self,
        settings: &ChallengeSettings,
    ) -> Result<ChallengeDocument, ClientError> {
        self.send_json(Method::POST, &["challenges"], settings)
            .await
    }

    pub async fn update_challenge(
        &self,
        slug: &str,
        patch: &ChallengePatch,
    ) -> Result<ChallengeDocument, ClientError> {
        self.send_json(Method::PATCH, &["challenges", slug], patch)
            .await
    }

    /// The names of the test images by ordinal; `None` where they have none.
    pub async fn image_names(&self, slug: &str) -> Result<Option<Vec<String>>, ClientError> {
        let names: ImageNames = self.get(&["challenges", slug, "images", "names"]).await?;
        Ok(names.names)
    }

    /// Uploads hidden labels (CSV): the version they make, and whether it is new. The same file again makes none.
    pub async fn put_labels(
        &self,
        slug: &str,
        labels: &Upload,
    ) -> Result<(LabelVersion, bool), ClientError> {
        let response = self
            .put(&["challenges", slug, "labels"], "text/csv", labels)
            .await?;
        let is_new = response.status() == StatusCode::CREATED;
        Ok((self.read(response).await?, is_new))
    }

    /// Uploads a file of a challenge in place of the one there.
    pub async fn put_asset(
        &self,
        slug: &str,
        asset: Asset<'_>,
        file: &Upload,
    ) -> Result<(), ClientError> {
        self.put(&asset.path(slug), "application/octet-stream", file)
            .await
            .map(drop)
    }

    /// A PUT may be repeated, so a lost connection is tried again.
    async fn put(
        &self,
        path: &[&str],
        content_type: &str,
        file: &Upload,
    ) -> Result<reqwest::Response, ClientError> {
        let disposition = crate::disposition(file.filename());
        let mut patience = Patience::new();
        loop {
            let (body, length) = file.open().await?;
            let request = self
                .request(Method::PUT, path)
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_LENGTH, length)
                .header(CONTENT_DISPOSITION, &disposition)
                .body(body);
            match self.send(request).await {
                Ok(response) => return Ok(response),
                Err(error) => patience.wait_out(error).await?,
            }
        }
    }

    pub async fn organizers(&self, slug: &str) -> Result<Vec<Organizer>, ClientError> {
        self.get_all(&["challenges", slug, "organizers"]).await
    }

    pub async fn add_organizer(&self, slug: &str, handle: &str) -> Result<(), ClientError> {
        self.act(Method::PUT, &["challenges", slug, "organizers", handle])
            .await
    }

    pub async fn remove_organizer(&self, slug: &str, handle: &str) -> Result<(), ClientError> {
        self.act(Method::DELETE, &["challenges", slug, "organizers", handle])
            .await
    }

    /// Scores every submission anew.
    pub async fn rescore(&self, slug: &str) -> Result<(), ClientError> {
        self.act(Method::POST, &["challenges", slug, "rescore"])
            .await
    }

    pub async fn leaderboard(&self, slug: &str, split: Split) -> Result<Leaderboard, ClientError> {
        let request = self.leaderboard_request(slug, split);
        let response = self.send(request).await?;
        self.read(response).await
    }

    /// The board and its `ETag`, or `None` if it still is the one with `etag`.
    pub async fn leaderboard_if_changed(
        &self,
        slug: &str,
        split: Split,
        etag: &str,
    ) -> Result<Option<(Leaderboard, String)>, ClientError> {
        let response = self
            .send(
                self.leaderboard_request(slug, split)
                    .header(IF_NONE_MATCH, etag),
            )
            .await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|etag| etag.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Some((self.read(response).await?, etag)))
    }

    pub async fn leaderboard_csv(&self, slug: &str, split: Split) -> Result<String, ClientError> {
        let request = self
            .leaderboard_request(slug, split)
            .query(&[("format", "csv")])
            .header(ACCEPT, "text/csv");
        self.send(request)
            .await?
            .text()
            .await
            .map_err(|source| self.lost(&source))
    }

    fn leaderboard_request(&self, slug: &str, split: Split) -> reqwest::RequestBuilder {
        self.request(Method::GET, &["challenges", slug, "leaderboard"])
            .query(&[("split", split.as_str())])
            .timeout(ANSWER_TIMEOUT)
    }
}

use std::path::Path;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use uuid::Uuid;

use super::retry::Patience;
use super::{Client, ClientError, Upload, Watch};
use crate::documents::{Kind, Submission, SubmissionPatch};

/// What is submitted: the form of `POST /challenges/{slug}/submissions`.
#[derive(Clone)]
pub struct NewSubmission {
    pub file: Upload,
    /// Side files of an ONNX model, under the names that it refers to them by.
    pub data: Vec<Upload>,
    pub kind: Kind,
    pub method: String,
    /// The other fields, by their names in the form: `description`, `architecture`, `preprocess`, `class_order`,
    /// `class_offset`, `output`, `classes`, `boxes`, `outside_data`, `paper_url`, `code_url`.
    pub fields: Vec<(&'static str, String)>,
}

impl NewSubmission {
    /// Predictions by a method of that name.
    pub fn predictions(file: Upload, method: &str) -> Self {
        Self {
            file,
            data: Vec::new(),
            kind: Kind::Predictions,
            method: method.to_owned(),
            fields: Vec::new(),
        }
    }

    /// Adds a field of the form.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((field, value.into()));
        self
    }

    /// The form for one attempt. The fields go first, so that the server can refuse before it receives the file.
    async fn form(&self) -> Result<Form, ClientError> {
        let mut form = Form::new()
            .text("kind", self.kind.as_str())
            .text("method", self.method.clone());
        for (field, value) in &self.fields {
            form = form.text(*field, value.clone());
        }
        for data in &self.data {
            form = form.part("data", part(data).await?);
        }
        Ok(form.part("file", part(&self.file).await?))
    }
}

async fn part(upload: &Upload) -> Result<Part, ClientError> {
    let (body, length) = upload.open().await?;
    Ok(Part::stream_with_length(body, length).file_name(upload.filename().to_owned()))
}

impl Client {
    /// Submits. A lost connection and a busy server are tried again under the same key, so that nothing is submitted twice.
    pub async fn submit(
        &self,
        slug: &str,
        submission: &NewSubmission,
    ) -> Result<Submission, ClientError> {
        let key = Uuid::now_v7().to_string();
        let mut patience = Patience::new();
        loop {
            let form = submission.form().await?;
            let request = self
                .request(Method::POST, &["challenges", slug, "submissions"])
                .header("Idempotency-Key", &key)
                .multipart(form);
            match self.send(request).await {
                Ok(response) => return self.read(response).await,
                Err(error) => patience.wait_out(error).await?,
            }
        }
    }

    pub async fn submission(&self, id: Uuid) -> Result<Submission, ClientError> {
        self.get(&["submissions", &id.to_string()]).await
    }

    /// The team's own submissions to a challenge; all of them for its organizers. Newest first.
    pub async fn submissions(&self, slug: &str) -> Result<Vec<Submission>, ClientError> {
        self.get_all(&["challenges", slug, "submissions"]).await
    }

    pub async fn update_submission(
        &self,
        id: Uuid,
        patch: &SubmissionPatch,
    ) -> Result<Submission, ClientError> {
        self.send_json(Method::PATCH, &["submissions", &id.to_string()], patch)
            .await
    }

    /// Takes a submission off the board; its quota stays spent.
    pub async fn withdraw(&self, id: Uuid) -> Result<(), ClientError> {
        self.act(Method::DELETE, &["submissions", &id.to_string()])
            .await
    }

    /// Downloads the file that was submitted.
    pub async fn submission_file(
        &self,
        id: Uuid,
        to: &Path,
        watch: Option<&Watch>,
    ) -> Result<(), ClientError> {
        self.download(&["submissions", &id.to_string(), "file"], to, None, watch)
            .await
    }

    /// Downloads the canonical record: int32 `[N, 6]` as NPY.
    pub async fn submission_predictions(
        &self,
        id: Uuid,
        to: &Path,
        watch: Option<&Watch>,
    ) -> Result<(), ClientError> {
        self.download(
            &["submissions", &id.to_string(), "predictions"],
            to,
            None,
            watch,
        )
        .await
    }
}

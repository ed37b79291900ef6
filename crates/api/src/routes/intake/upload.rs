use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use chrono::{DateTime, Utc};
use referee_client::documents::Kind;
use referee_scoring::model_form::refuse_model_by_leading_bytes;
use referee_scoring::predictions::refuse_by_leading_bytes;
use referee_storage::objects::{ObjectError, ObjectStore, Stored};
use tokio_util::sync::CancellationToken;

use super::body::FormBody;
use super::form::{Completed, Form};
use crate::problem::Problem;
use crate::slots::UploadSlot;
use crate::uploads;

/// The bytes by which a file is recognised that cannot be predictions.
const HEAD: usize = 1024;
/// Exporters that write a file for each tensor make hundreds.
const MOST_DATA: usize = 1000;
const MOST_PARTS: usize = 40 + MOST_DATA;
/// What a protocol buffer, which an ONNX file is, can hold.
const MOST_ONNX_BYTES: u64 = 2 << 30;

/// A form on its way in.
pub struct Upload {
    form: Multipart,
    body: FormBody,
    last_call: CancellationToken,
    /// The client sends nothing before it is told to, so that it reads a refusal at once.
    waits_for_continue: bool,
}

/// Who sends a form: what arrives of its body, and how fast.
struct Sender {
    body: FormBody,
    slot: UploadSlot,
    /// Cancelled when the server does not wait any longer.
    last_call: CancellationToken,
}

/// What a challenge allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Of all files together, in 2^20 bytes.
    pub upload_mb: u32,
    pub forbids_outside_data: bool,
    pub classes: usize,
    /// Of the longer list that the challenge names.
    pub wider_classes: Option<usize>,
    /// Whether there are test images to run models on.
    pub takes_models: bool,
}

impl Rules {
    pub fn most_bytes(self) -> u64 {
        u64::from(self.upload_mb) << 20
    }

    pub fn too_large(self) -> Problem {
        Problem::too_large(format!(
            "this challenge takes uploads of at most {} MiB; send predictions compressed with gzip or zstd, or as class lists instead of scores, and models in half precision",
            self.upload_mb
        ))
    }
}

/// Files in the object store that nothing refers to yet.
#[derive(Default)]
pub struct Files {
    pub file: Option<File>,
    /// Side files of a model.
    pub data: Vec<File>,
}

/// A stored file.
pub struct File {
    pub stored: Stored,
    pub filename: String,
    head: Vec<u8>,
}

impl Files {
    pub async fn delete(self, objects: &ObjectStore) {
        for file in self.file.into_iter().chain(self.data) {
            if let Err(error) = objects.delete(&file.stored.key).await {
                tracing::warn!(%error, key = file.stored.key, "a refused upload stays until the next sweep");
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.file
            .iter()
            .chain(&self.data)
            .map(|file| file.stored.bytes)
            .sum()
    }
}

impl Upload {
    /// Nothing is read of the request's body yet.
    ///
    /// # Errors
    /// It is no form.
    pub async fn new(
        request: Request,
        last_call: CancellationToken,
    ) -> Result<Self, MultipartRejection> {
        let (parts, body) = request.into_parts();
        let waits_for_continue = parts
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let body = FormBody::new(body);
        let request = Request::from_parts(parts, Body::from_stream(body.clone()));
        Ok(Self {
            form: Multipart::from_request(request, &()).await?,
            body,
            last_call,
            waits_for_continue,
        })
    }

    /// Reads the form and stores its files, for as long as it keeps its slot.
    ///
    /// # Errors
    /// Whatever is wrong with either; then nothing is stored.
    pub async fn receive(
        &mut self,
        objects: &ObjectStore,
        rules: Rules,
        slot: UploadSlot,
    ) -> Result<(Completed, File, Vec<File>), Problem> {
        self.waits_for_continue = false;
        let mut files = Files::default();
        let mut sender = Sender {
            body: self.body.clone(),
            slot,
            last_call: self.last_call.clone(),
        };
        match self
            .read_parts(objects, rules, &mut files, &mut sender)
            .await
        {
            Ok(completed) => match files.file {
                Some(file) => Ok((completed, file, files.data)),
                None => Err(Problem::internal("a complete form has a file")),
            },
            Err(problem) => {
                files.delete(objects).await;
                Err(problem)
            }
        }
    }

    async fn read_parts(
        &mut self,
        objects: &ObjectStore,
        rules: Rules,
        files: &mut Files,
        sender: &mut Sender,
    ) -> Result<Completed, Problem> {
        let mut form = Form::new(
            rules.forbids_outside_data,
            rules.classes,
            rules.wider_classes,
        );
        for _ in 0..MOST_PARTS {
            let Some(part) = sender.part(self.form.next_field()).await? else {
                return finished(form, rules, files);
            };
            let name = part.name().unwrap_or_default().to_owned();
            let is_data = name == "data";
            if is_data || name == "file" {
                if !is_data {
                    form.expect("file");
                }
                // Faults that show before a file spare its sender the upload.
                form.so_far().map_err(Problem::unprocessable)?;
                if form.kind() == Some(Kind::Model) && !rules.takes_models {
                    return Err(no_images());
                }
                let kind = if is_data { None } else { form.kind() };
                let name = if is_data {
                    side_name(&part, files)?
                } else {
                    plain_name(part.file_name().unwrap_or_default())
                };
                let file = store(part, name, sender, objects, rules, files.bytes(), kind).await?;
                if is_data {
                    files.data.push(file);
                } else {
                    files.file = Some(file);
                }
            } else {
                form.add(&name, text(part, &name, sender).await?);
            }
        }
        Err(Problem::unprocessable(format!(
            "a form has at most {MOST_PARTS} parts, {MOST_DATA} of them `data`"
        )))
    }

    /// When the content began to arrive.
    pub fn began_at(&self) -> DateTime<Utc> {
        self.body.began_at()
    }

    /// Reads on after a refusal, so that the client gets to hear it.
    pub async fn discard(self) {
        // With what the parser holds.
        drop(self.form);
        if !self.waits_for_continue {
            self.body.discard().await;
        }
    }
}

impl Sender {
    /// The form's next part.
    async fn part<T>(
        &mut self,
        next: impl Future<Output = Result<T, MultipartError>>,
    ) -> Result<T, Problem> {
        self.body.look_for_part();
        let part = self.patient(next).await?;
        self.body.read_data();
        Ok(part)
    }

    async fn patient<T>(
        &mut self,
        next: impl Future<Output = Result<T, MultipartError>>,
    ) -> Result<T, Problem> {
        let next = tokio::select! {
            next = self.slot.wait(next) => next,
            () = self.last_call.cancelled() => return Err(uploads::stopping()),
        };
        self.slot.arrived(self.body.take_arrived());
        next?.map_err(|error| self.unreadable(&error))
    }

    /// What cannot be read broke off or is no form; either way its sender has to send it again.
    fn unreadable(&self, error: &MultipartError) -> Problem {
        match self.body.refusal() {
            Some(refusal) => Problem::bad_request(refusal.to_string()),
            None => Problem::bad_request(format!(
                "the form broke off or is damaged ({}); send the submission again",
                error.body_text()
            )),
        }
    }
}

async fn text(mut part: Field<'_>, name: &str, sender: &mut Sender) -> Result<String, Problem> {
    let mut text = Vec::new();
    while let Some(chunk) = sender.patient(part.chunk()).await? {
        text.extend_from_slice(&chunk);
        if text.len() > Form::LONGEST {
            return Err(Problem::unprocessable(format!(
                "`{name}` is too long for a field of this form"
            )));
        }
    }
    String::from_utf8(text).map_err(|_| Problem::unprocessable(format!("`{name}` is not UTF-8")))
}

/// What can be said of a form only when all of it is there, as its parts come in any order.
fn finished(form: Form, rules: Rules, files: &Files) -> Result<Completed, Problem> {
    let completed = form.complete().map_err(Problem::unprocessable)?;
    match completed.kind {
        Kind::Model if !rules.takes_models => return Err(no_images()),
        Kind::Predictions if !files.data.is_empty() => {
            return Err(Problem::unprocessable(
                "`data` parts are side files of a model: leave them out for predictions",
            ));
        }
        _ => {}
    }
    if let Some(file) = &files.file {
        acceptable(&file.head, &file.filename, completed.kind)?;
    }
    Ok(completed)
}

fn no_images() -> Problem {
    Problem::unprocessable(
        "this challenge has no test images on the server to run a model on: submit predictions",
    )
}

/// The bare name by which a model refers to a side file.
fn side_name(part: &Field<'_>, files: &Files) -> Result<String, Problem> {
    let name = part.file_name().unwrap_or_default();
    let is_bare = !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name
            .contains(|character: char| matches!(character, '/' | '\\') || character.is_control());
    if !is_bare {
        return Err(Problem::unprocessable(format!(
            "`{}` is no bare file name: send each `data` part under the name by which the model refers to it, without folders",
            name.chars().take(80).collect::<String>()
        )));
    }
    if files.data.iter().any(|file| file.filename == name) {
        return Err(Problem::unprocessable(format!(
            "two `data` parts are called `{name}`; send each once"
        )));
    }
    if files.data.len() == MOST_DATA {
        return Err(Problem::unprocessable(format!(
            "a model has at most {MOST_DATA} `data` parts: export it with all external data in one file"
        )));
    }
    Ok(name.to_owned())
}

/// Stores a part. `stored` bytes of the same form came before it; its first bytes are looked at where its `kind` is known.
async fn store(
    mut part: Field<'_>,
    filename: String,
    sender: &mut Sender,
    objects: &ObjectStore,
    rules: Rules,
    stored: u64,
    kind: Option<Kind>,
) -> Result<File, Problem> {
    let left = rules.most_bytes().saturating_sub(stored);
    let is_onnx = kind == Some(Kind::Model) && has_extension(&filename, "onnx");
    let most = if is_onnx {
        left.min(MOST_ONNX_BYTES)
    } else {
        left
    };
    let mut upload = objects.upload(most);
    let mut head = Vec::with_capacity(HEAD);
    let written = async {
        while let Some(chunk) = sender.patient(part.chunk()).await? {
            let was_short = head.len() < HEAD;
            head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
            if let Some(kind) = kind
                && was_short
                && head.len() == HEAD
            {
                acceptable(&head, &filename, kind)?;
            }
            upload.write(chunk).await.map_err(|error| match error {
                ObjectError::TooLarge { .. } if is_onnx && left > MOST_ONNX_BYTES => Problem::too_large(
                    "an ONNX file holds at most 2 GiB: save the weights as safetensors and name the architecture, or export them as external data",
                ),
                ObjectError::TooLarge { .. } => rules.too_large(),
                error => uploads::store_problem(error),
            })?;
        }
        if head.is_empty() {
            return Err(Problem::unprocessable(format!(
                "`{filename}` is empty: was it written and closed before it was sent?"
            )));
        }
        match kind {
            Some(kind) => acceptable(&head, &filename, kind),
            None => Ok(()),
        }
    }
    .await;
    if let Err(problem) = written {
        if let Err(error) = upload.abort().await {
            tracing::warn!(%error, "a refused upload stays until the next sweep");
        }
        return Err(problem);
    }
    let stored = upload.finish().await.map_err(uploads::store_problem)?;
    uploads::count(&stored);
    Ok(File {
        stored,
        filename,
        head,
    })
}

fn has_extension(filename: &str, extension: &str) -> bool {
    std::path::Path::new(filename)
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Whether the first bytes may be a file of that kind.
fn acceptable(head: &[u8], filename: &str, kind: Kind) -> Result<(), Problem> {
    let remedy = match kind {
        Kind::Predictions => refuse_by_leading_bytes(head, Some(filename)),
        Kind::Model => refuse_model_by_leading_bytes(head, Some(filename)),
    };
    remedy.map_or(Ok(()), |remedy| Err(Problem::unprocessable(remedy)))
}

/// The last component of a file's name, as it may be shown and sent back.
fn plain_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect();
    if name.trim().is_empty() {
        "upload".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_the_last_part_of_its_name() {
        assert_eq!(plain_name("C:\\runs\\été.npy"), "été.npy");
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("a\r\nb.csv"), "ab.csv");
        assert_eq!(plain_name("runs/"), "upload");
    }
}

use std::time::Duration;

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use referee_scoring::predictions::refuse_by_leading_bytes;
use referee_storage::objects::{ObjectError, ObjectStore, Stored};

use super::form::{Completed, Form};
use crate::problem::Problem;

/// The bytes by which a file is recognised that cannot be predictions.
const HEAD: usize = 1024;
const MOST_PARTS: usize = 40;
/// Without a byte for this long, an upload has broken off.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much of a refused upload is still read, and for how long: many clients read no answer before they have sent all.
const DISCARDED_BYTES: usize = 64 << 20;
const DISCARDED_FOR: Duration = Duration::from_secs(10);

/// A form on its way in.
pub struct Upload {
    form: Multipart,
    /// The client sends nothing before it is told to, so that it reads a refusal at once.
    waits_for_continue: bool,
}

/// What a challenge allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Of the file, in 2^20 bytes.
    pub upload_mb: u32,
    pub forbids_outside_data: bool,
}

impl Rules {
    pub fn most_bytes(self) -> u64 {
        u64::from(self.upload_mb) << 20
    }

    pub fn too_large(self) -> Problem {
        Problem::too_large(format!(
            "this challenge takes files of at most {} MiB; send yours compressed with gzip or zstd, or as class lists instead of scores",
            self.upload_mb
        ))
    }
}

/// A file in the object store that nothing refers to yet.
pub struct File {
    pub stored: Stored,
    pub filename: String,
}

impl File {
    pub async fn delete(self, objects: &ObjectStore) {
        if let Err(error) = objects.delete(&self.stored.key).await {
            tracing::warn!(%error, key = self.stored.key, "a refused upload stays until the next sweep");
        }
    }
}

impl Upload {
    pub fn new(form: Multipart, headers: &HeaderMap) -> Self {
        let expects = headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            form,
            waits_for_continue: expects,
        }
    }

    /// Reads the form and stores its file.
    ///
    /// # Errors
    /// Whatever is wrong with either; then nothing is stored.
    pub async fn receive(
        &mut self,
        objects: &ObjectStore,
        rules: Rules,
    ) -> Result<(Completed, File), Problem> {
        self.waits_for_continue = false;
        let mut file = None;
        let completed = self.read_parts(objects, rules, &mut file).await;
        match (completed, file) {
            (Ok(completed), Some(file)) => Ok((completed, file)),
            (Ok(_), None) => Err(Problem::internal("a complete form has a file")),
            (Err(problem), file) => {
                if let Some(file) = file {
                    file.delete(objects).await;
                }
                Err(problem)
            }
        }
    }

    async fn read_parts(
        &mut self,
        objects: &ObjectStore,
        rules: Rules,
        file: &mut Option<File>,
    ) -> Result<Completed, Problem> {
        let mut form = Form::new(rules.forbids_outside_data);
        for _ in 0..MOST_PARTS {
            let Some(part) = patient(self.form.next_field()).await? else {
                return form.complete().map_err(Problem::unprocessable);
            };
            let name = part.name().unwrap_or_default().to_owned();
            if name == "file" {
                form.expect("file");
                // Faults that show before the file spare its sender the upload.
                form.so_far().map_err(Problem::unprocessable)?;
                *file = Some(store(part, objects, rules).await?);
            } else {
                form.add(&name, text(part, &name).await?);
            }
        }
        Err(Problem::unprocessable(format!(
            "a form has at most {MOST_PARTS} parts"
        )))
    }

    /// Reads on after a refusal, so that the client gets to hear it.
    pub async fn discard(mut self) {
        if self.waits_for_continue {
            return;
        }
        let mut left = DISCARDED_BYTES;
        let all = async {
            while let Ok(Some(mut part)) = self.form.next_field().await {
                while let Ok(Some(chunk)) = part.chunk().await {
                    left = left.saturating_sub(chunk.len());
                    if left == 0 {
                        return;
                    }
                }
            }
        };
        // Either way enough has been done for the client.
        let _ = tokio::time::timeout(DISCARDED_FOR, all).await;
    }
}

async fn patient<T>(next: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, next).await {
        // What cannot be read broke off or is no form; either way its sender has to send it again.
        Ok(next) => next.map_err(|error| {
            let reason = error.body_text();
            Problem::bad_request(format!(
                "the form broke off or is damaged ({reason}); send the submission again"
            ))
        }),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "nothing arrived for {} s; send the submission again",
                PATIENCE.as_secs()
            ),
        )),
    }
}

async fn text(mut part: Field<'_>, name: &str) -> Result<String, Problem> {
    let mut text = Vec::new();
    while let Some(chunk) = patient(part.chunk()).await? {
        text.extend_from_slice(&chunk);
        if text.len() > Form::LONGEST {
            return Err(Problem::unprocessable(format!(
                "`{name}` is too long for a field of this form"
            )));
        }
    }
    String::from_utf8(text).map_err(|_| Problem::unprocessable(format!("`{name}` is not UTF-8")))
}

async fn store(mut part: Field<'_>, objects: &ObjectStore, rules: Rules) -> Result<File, Problem> {
    let filename = plain_name(part.file_name().unwrap_or_default());
    let mut upload = objects.upload(rules.most_bytes());
    let mut head = Vec::with_capacity(HEAD);
    let written = async {
        while let Some(chunk) = patient(part.chunk()).await? {
            look_at_head(&mut head, &chunk, &filename)?;
            upload.write(chunk).await.map_err(|error| match error {
                ObjectError::TooLarge { .. } => rules.too_large(),
                error => Problem::internal(&error),
            })?;
        }
        if head.is_empty() {
            return Err(Problem::unprocessable(
                "the file is empty: was it written and closed before it was sent?",
            ));
        }
        if head.len() < HEAD {
            acceptable(&head, &filename)
        } else {
            Ok(())
        }
    }
    .await;
    if let Err(problem) = written {
        if let Err(error) = upload.abort().await {
            tracing::warn!(%error, "a refused upload stays until the next sweep");
        }
        return Err(problem);
    }
    let stored = upload
        .finish()
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(File { stored, filename })
}

/// Collects the file's first bytes, and looks at them once there are enough.
fn look_at_head(head: &mut Vec<u8>, chunk: &Bytes, filename: &str) -> Result<(), Problem> {
    let missing = HEAD - head.len();
    if missing == 0 {
        return Ok(());
    }
    head.extend_from_slice(&chunk[..missing.min(chunk.len())]);
    if head.len() < HEAD {
        Ok(())
    } else {
        acceptable(head, filename)
    }
}

fn acceptable(head: &[u8], filename: &str) -> Result<(), Problem> {
    refuse_by_leading_bytes(head, Some(filename))
        .map_or(Ok(()), |remedy| Err(Problem::unprocessable(remedy)))
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
        "predictions".to_owned()
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
        assert_eq!(plain_name("runs/"), "predictions");
    }

    #[test]
    fn a_pickle_is_recognised_however_its_bytes_arrive() {
        // Protocol 4 of Python's pickle begins with PROTO 4 and a FRAME of eight bytes' length.
        let mut pickle = b"\x80\x04\x95\x00\x10\x00\x00\x00\x00\x00\x00".to_vec();
        pickle.resize(2 * HEAD, b'.');
        let mut head = Vec::new();
        let refusal = pickle
            .chunks(7)
            .try_for_each(|chunk| look_at_head(&mut head, &Bytes::copy_from_slice(chunk), "x.npy"));
        assert!(refusal.expect_err("refused").detail().contains("pickle"));
    }
}

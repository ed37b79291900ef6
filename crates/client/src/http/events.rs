//! `text/event-stream` (WHATWG HTML, section 9.2), and waiting for a submission with it.

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use uuid::Uuid;

use super::retry::Patience;
use super::{Client, ClientError};
use crate::documents::Submission;

/// The server sends at least a comment every 15 seconds; silence for longer than this is a lost connection.
const SILENCE: Duration = Duration::from_secs(40);

impl Client {
    /// Waits until the submission has a final state, telling `on_change` of every state on the way.
    ///
    /// Listens to the submission's events. When they break off, or too many listen from this address already, it asks for the
    /// submission itself, then listens again.
    pub async fn follow(
        &self,
        id: Uuid,
        mut on_change: impl FnMut(&Submission),
    ) -> Result<Submission, ClientError> {
        let mut patience = Patience::new();
        let mut revision: Option<i64> = None;
        loop {
            let lost = match self.listen(id, revision).await {
                Ok(Some(mut stream)) => loop {
                    match stream.next(self).await {
                        Ok(Some(submission)) => {
                            patience.reached();
                            revision = Some(submission.revision);
                            on_change(&submission);
                            if submission.status.is_final() {
                                return Ok(submission);
                            }
                        }
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                },
                Ok(None) => None,
                Err(error) if error.status() == Some(StatusCode::TOO_MANY_REQUESTS.as_u16()) => {
                    None
                }
                Err(error) => Some(error),
            };
            if let Some(error) = lost {
                patience.wait_out(error).await?;
            }
            match self.submission(id).await {
                Ok(submission) => {
                    patience.reached();
                    revision = Some(submission.revision);
                    on_change(&submission);
                    if submission.status.is_final() {
                        return Ok(submission);
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => patience.wait_out(error).await?,
            }
        }
    }

    /// Opens the events; `None` when the server has nothing newer to say and never will.
    async fn listen(&self, id: Uuid, revision: Option<i64>) -> Result<Option<Events>, ClientError> {
        let mut request = self
            .request(Method::GET, &["submissions", &id.to_string(), "events"])
            .header(ACCEPT, "text/event-stream");
        if let Some(revision) = revision {
            request = request.header("Last-Event-ID", revision);
        }
        let response = self.send(request).await?;
        Ok(
            (response.status() != StatusCode::NO_CONTENT).then(|| Events {
                response,
                parser: EventParser::default(),
                waiting: Vec::new().into_iter(),
            }),
        )
    }
}

struct Events {
    response: Response,
    parser: EventParser,
    waiting: std::vec::IntoIter<String>,
}

impl Events {
    /// The next state; `None` when the server closed the stream.
    async fn next(&mut self, client: &Client) -> Result<Option<Submission>, ClientError> {
        loop {
            if let Some(data) = self.waiting.next() {
                let submission = serde_json::from_str(&data);
                return submission.map(Some).map_err(|source| ClientError::Answer {
                    server: client.server().to_owned(),
                    source,
                });
            }
            let chunk =
                timeout(SILENCE, self.response.chunk())
                    .await
                    .map_err(|_| ClientError::Broken {
                        server: client.server().to_owned(),
                        cause: format!("no sign of life for {} seconds", SILENCE.as_secs()),
                    })?;
            match chunk.map_err(|source| client.lost(&source))? {
                Some(chunk) => self.waiting = self.parser.push(&chunk).into_iter(),
                None => return Ok(None),
            }
        }
    }
}

/// Cuts a byte stream into the data of its events. Names and ids are of no use here: the data is the whole object.
#[derive(Debug, Default)]
struct EventParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_carriage_return: bool,
    past_first_line: bool,
}

impl EventParser {
    /// The events that `chunk` completes.
    fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for &byte in chunk {
            let after_carriage_return =
                std::mem::replace(&mut self.after_carriage_return, byte == b'\r');
            match byte {
                b'\n' if after_carriage_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<String> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.past_first_line, true) && line.starts_with(b"\xEF\xBB\xBF")
        {
            line.drain(..3);
        }
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data)
                .then(|| String::from_utf8_lossy(&data).into_owned());
        }
        let (field, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (
                &line[..colon],
                line[colon + 1..]
                    .strip_prefix(b" ")
                    .unwrap_or(&line[colon + 1..]),
            ),
            None => (&line[..], &b""[..]),
        };
        if field == b"data" {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SCORED: &str = r#"{"id":"0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d","challenge":"clothes","team":"ada","submitter":"ada",
        "kind":"predictions","method":"m","entry":"competitor","status":"scored","notices":[],"outside_data":false,"selected":false,
        "late":false,"verified":false,"created_at":"2026-01-01T00:00:00Z","revision":2}"#;

    #[tokio::test]
    async fn a_submission_is_asked_for_where_too_many_listen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = connection.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]);
                let (status, body) = if request.contains("/events") {
                    ("429 Too Many Requests", "{}")
                } else {
                    ("200 OK", SCORED)
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let client = Client::new(&address, None).unwrap();
        let id = "0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d".parse().unwrap();
        let submission = client.follow(id, |_| {}).await.unwrap();
        assert!(submission.status.is_final());
    }

    fn events(stream: &[u8]) -> Vec<String> {
        EventParser::default().push(stream)
    }

    /// The examples of the specification's section 9.2.6, whose outcome it states.
    #[test]
    fn the_specifications_examples() {
        assert_eq!(
            events(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
            ["YHOO\n+2\n10"]
        );
        assert_eq!(
            events(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            ["first event", "second event", " third event"]
        );
        assert_eq!(events(b"data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(events(b"data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn a_byte_order_mark_and_every_line_end_are_understood() {
        assert_eq!(
            events(b"\xEF\xBB\xBFdata: a\r\n\r\ndata: b\r\rdata: c\n\n"),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn where_chunks_are_cut_does_not_matter() {
        let stream = "data: {\"team\":\"Gödel\"}\r\nid: 7\r\n\r\n: comment\r\n\r\ndata: x\r\ndata: y\r\n\r\n".as_bytes();
        for cut in 0..stream.len() {
            let mut parser = EventParser::default();
            let mut found = parser.push(&stream[..cut]);
            found.extend(parser.push(&stream[cut..]));
            assert_eq!(found, ["{\"team\":\"Gödel\"}", "x\ny"], "cut at {cut}");
        }
    }
}

//! The body of a form on its way to its parser, which by itself would hold in memory whatever comes before a part's data.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};

/// What may come before a part's data: a boundary and the part's headers, and before the first one a preamble.
const BETWEEN_PARTS: usize = 64 << 10;
/// How much of a refused upload is still read, and for how long: many clients read no answer before they have sent all.
const DISCARDED_BYTES: usize = 64 << 20;
const DISCARDED_FOR: Duration = Duration::from_secs(10);

/// A request's body, and how far it has been read. Clones are the same one: the parser reads one of them.
#[derive(Clone)]
pub struct FormBody(Arc<Mutex<Reading>>);

struct Reading {
    body: BodyDataStream,
    has_ended: bool,
    /// When the first bytes arrived.
    began_at: Option<DateTime<Utc>>,
    /// Whether the parser has just been given a chunk.
    is_fed: bool,
    /// Bytes since they were last counted.
    arrived: usize,
    /// Bytes since the parser began to look for a part, while it does.
    between: Option<usize>,
    /// Whether the parser was told that it looks in vain.
    is_refused: bool,
}

/// More came between two parts than any form needs.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "more than {} KiB came without a part's content; keep what is before the first part, and the headers of each, short",
    BETWEEN_PARTS >> 10
)]
pub struct NoPart;

impl FormBody {
    pub fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Reading {
            body: body.into_data_stream(),
            has_ended: false,
            began_at: None,
            is_fed: false,
            arrived: 0,
            between: Some(0),
            is_refused: false,
        })))
    }

    /// Says that the parser looks for the next part now.
    pub fn look_for_part(&self) {
        self.reading().between = Some(0);
    }

    /// Says that the parser has found a part and reads its data, of which there may be any number of bytes.
    pub fn read_data(&self) {
        self.reading().between = None;
    }

    /// The bytes that have arrived since this was last asked.
    pub fn take_arrived(&self) -> usize {
        mem::take(&mut self.reading().arrived)
    }

    /// When the first bytes arrived; where none did, now.
    pub fn began_at(&self) -> DateTime<Utc> {
        self.reading().began_at.unwrap_or_else(Utc::now)
    }

    /// Why the parser was given an error, where that was for want of a part.
    pub fn refusal(&self) -> Option<NoPart> {
        self.reading().is_refused.then_some(NoPart)
    }

    /// Reads on after a refusal, so that the client gets to hear it, and keeps none of it.
    pub async fn discard(self) {
        let mut left = DISCARDED_BYTES;
        let all = async {
            while let Some(Ok(chunk)) = poll_fn(|context| self.reading().poll(context)).await {
                left = left.saturating_sub(chunk.len());
                if left == 0 {
                    return;
                }
            }
        };
        // Either way enough has been done for the client.
        let _ = tokio::time::timeout(DISCARDED_FOR, all).await;
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let chunk = ready!(self.body.poll_next_unpin(context));
        match &chunk {
            Some(Ok(chunk)) => {
                self.arrived += chunk.len();
                self.began_at.get_or_insert_with(Utc::now);
            }
            Some(Err(_)) | None => self.has_ended = true,
        }
        Poll::Ready(chunk)
    }
}

impl Stream for FormBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.reading();
        // The parser takes whatever there is before it looks at any of it, so there is never more than a chunk.
        if mem::take(&mut reading.is_fed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if reading.between.is_some_and(|bytes| bytes > BETWEEN_PARTS) {
            reading.is_refused = true;
            return Poll::Ready(Some(Err(axum::Error::new(NoPart))));
        }
        let chunk = ready!(reading.poll(context));
        if let Some(Ok(chunk)) = &chunk {
            reading.is_fed = true;
            let between = reading.between.map(|bytes| bytes + chunk.len());
            reading.between = between;
        }
        Poll::Ready(chunk)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::task::yield_now;

    use super::*;

    fn of_chunks(count: usize, bytes: usize) -> FormBody {
        let chunk = Bytes::from(vec![b'-'; bytes]);
        let chunks = (0..count).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
        FormBody::new(Body::from_stream(stream::iter(chunks)))
    }

    #[tokio::test]
    async fn a_parser_is_given_a_chunk_at_a_time() {
        let mut body = of_chunks(2, 10);
        assert!(matches!(
            futures::poll!(body.next()),
            Poll::Ready(Some(Ok(_)))
        ));
        assert!(futures::poll!(body.next()).is_pending());
        yield_now().await;
        assert!(matches!(
            futures::poll!(body.next()),
            Poll::Ready(Some(Ok(_)))
        ));
    }

    #[tokio::test]
    async fn all_bytes_are_counted_and_only_those_without_a_part_are_limited() {
        let mut body = of_chunks(100, BETWEEN_PARTS);
        body.read_data();
        for _ in 0..50 {
            body.next().await.expect("a chunk").expect("no end");
        }
        assert_eq!(body.take_arrived(), 50 * BETWEEN_PARTS);
        body.look_for_part();
        for _ in 0..2 {
            assert!(body.refusal().is_none());
            body.next().await.expect("a chunk").expect("no end");
        }
        assert!(body.next().await.expect("an answer").is_err());
        assert!(body.refusal().is_some());
        assert_eq!(body.take_arrived(), 2 * BETWEEN_PARTS);
    }
}

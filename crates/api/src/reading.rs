//! How slowly a client may read: whoever takes less gives the connection, and the file behind it, back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::pace::LEAST_PER_SECOND;

/// The time over which bytes are counted. Only waiting for the client counts; a quiet event stream waits for nobody.
const WINDOW: Duration = Duration::from_mins(1);
const LEAST: u64 = 60 * LEAST_PER_SECOND;

/// A connection that breaks when its client takes less than 4 KiB a second, for a minute, of what is there for it.
pub struct Reading<S> {
    stream: S,
    /// Since when it takes nothing.
    stalled: Option<Stalled>,
    /// Of the window that goes on.
    stalled_for: Duration,
    taken: u64,
}

struct Stalled {
    since: Instant,
    too_long: Pin<Box<Sleep>>,
}

impl<S> Reading<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            stalled: None,
            stalled_for: Duration::ZERO,
            taken: 0,
        }
    }

    /// Notes what came of a write, and makes an error of it where the client is too slow.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Ok(done)) => {
                if let Some(stalled) = self.stalled.take() {
                    self.stalled_for += stalled.since.elapsed();
                }
                self.taken += bytes(&done) as u64;
                if self.stalled_for < WINDOW || self.next_window() {
                    Poll::Ready(Ok(done))
                } else {
                    Poll::Ready(Err(too_slow()))
                }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let left = WINDOW.saturating_sub(self.stalled_for);
                let stalled = self.stalled.get_or_insert_with(|| Stalled {
                    since: Instant::now(),
                    too_long: Box::pin(sleep(left)),
                });
                if stalled.too_long.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.stalled = None;
                if self.next_window() {
                    context.waker().wake_by_ref();
                    Poll::Pending
                } else {
                    Poll::Ready(Err(too_slow()))
                }
            }
        }
    }

    /// Whether enough was taken in the window that is over; then the next one begins.
    fn next_window(&mut self) -> bool {
        let enough = self.taken >= LEAST;
        (self.stalled_for, self.taken) = (Duration::ZERO, 0);
        enough
    }
}

fn too_slow() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the client took less than 4 KiB a second for a minute",
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for Reading<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reading<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written, |bytes| *bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, shut, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Writes without end to a client that reads `bytes` every `pause`; how long that went well, ten minutes at most.
    async fn written_for(bytes: usize, pause: Duration) -> Duration {
        let (server, mut client) = duplex(16 << 10);
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            loop {
                sleep(pause).await;
                if client.read_exact(&mut buffer).await.is_err() {
                    break;
                }
            }
        });
        let mut server = Reading::new(server);
        let written = tokio::time::timeout(Duration::from_mins(10), async {
            while server.write_all(&[7; 8 << 10]).await.is_ok() {}
        });
        let _ = written.await;
        reading.abort();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_may_read_and_who_does_not_is_cut_off() {
        let second = Duration::from_secs(1);
        assert!(written_for(5 << 10, second).await >= Duration::from_mins(10));
        let silent = written_for(1, Duration::from_hours(1)).await;
        assert!(silent <= WINDOW + second, "{silent:?}");
        let trickling = written_for(100, second).await;
        assert!(trickling <= 2 * WINDOW, "{trickling:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_waits_for_nobody() {
        let (server, mut client) = duplex(64);
        let mut server = Reading::new(server);
        for _ in 0..100 {
            server.write_all(b":\n\n").await.expect("taken");
            let mut comment = [0; 3];
            client.read_exact(&mut comment).await.expect("read");
            sleep(Duration::from_secs(15)).await;
        }
    }
}

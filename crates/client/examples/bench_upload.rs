//! The clients of `scripts/bench upload`: people who submit, and wait for their scores by the events.
//!
//! ```text
//! bench_upload latency SERVER SLUG FILE COUNT TOKEN             one after the other
//! bench_upload load SERVER SLUG FILE COUNT IN_FLIGHT TOKEN...   so many unfinished at any time, of as many teams as tokens
//! ```
//!
//! Prints, in milliseconds from a file's last byte sent to `scored` seen: the median and the 99th percentile; for the load
//! also submissions per second, from the first upload's begin to the last score.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use referee_client::documents::Status;
use referee_client::http::{NewSubmission, Upload};
use referee_client::{Client, ClientError};
use tokio::sync::Semaphore;

/// Uploads at a time: the server has 64 slots for everyone, and says 503 past them.
const UPLOADS: usize = 32;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match words.as_slice() {
        ["latency", server, slug, file, count, token] => {
            run(server, slug, file, count, "1", &[token]).await
        }
        ["load", server, slug, file, count, in_flight, tokens @ ..] if !tokens.is_empty() => {
            run(server, slug, file, count, in_flight, tokens).await
        }
        _ => Err(
            "latency SERVER SLUG FILE COUNT TOKEN | load SERVER SLUG FILE COUNT IN_FLIGHT TOKEN..."
                .into(),
        ),
    };
    match measured {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench_upload: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    server: &str,
    slug: &str,
    file: &str,
    count: &str,
    in_flight: &str,
    tokens: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    let clients: Vec<Client> = tokens
        .iter()
        .map(|token| Client::new(server, Some(token)))
        .collect::<Result<_, _>>()?;
    let (count, in_flight): (usize, usize) = (count.parse()?, in_flight.parse()?);
    let uploads = Semaphore::new(UPLOADS);
    let begun = Instant::now();
    let waits: Vec<Result<Duration, ClientError>> = futures::stream::iter(0..count)
        .map(|number| submit(&clients[number % clients.len()], slug, file, &uploads))
        .buffer_unordered(in_flight)
        .collect()
        .await;
    let seconds = begun.elapsed().as_secs_f64();
    let mut waits: Vec<Duration> = waits.into_iter().collect::<Result<_, _>>()?;
    waits.sort_unstable();
    let percentile = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)];
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let per_second = count as f64 / seconds;
    Ok(format!(
        "median_ms={} p99_ms={} per_second={per_second:.1}",
        percentile(50).as_millis(),
        percentile(99).as_millis(),
    ))
}

/// From the last byte of the file to the score.
async fn submit(
    client: &Client,
    slug: &str,
    file: &str,
    uploads: &Semaphore,
) -> Result<Duration, ClientError> {
    let last_byte = Arc::new(Mutex::new(Instant::now()));
    let upload = {
        let last_byte = Arc::clone(&last_byte);
        Upload::file(file.as_ref()).watched(Arc::new(move |_| {
            *last_byte.lock().expect("nobody panics with it") = Instant::now();
        }))
    };
    let submission = {
        let _slot = uploads.acquire().await.expect("never closed");
        client
            .submit(slug, &NewSubmission::predictions(upload, "bench"))
            .await?
    };
    let scored = client.follow(submission.id, |_| {}).await?;
    assert_eq!(scored.status, Status::Scored, "{:?}", scored.problem);
    let last_byte = *last_byte.lock().expect("nobody panics with it");
    Ok(last_byte.elapsed())
}

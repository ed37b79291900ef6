use std::io::{self, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use referee_scoring::model_form::Preprocessing;
use referee_scoring::record::Row;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::frames::{FrameKind, Refused, Trouble, from_json, read_frame, write_frame};
use super::model::{Ready, Start, bounded};

/// The name of the hidden subcommand, and of the log's target.
pub const SUBCOMMAND: &str = "infer-child";
/// Bytes of what a model is, layers and filters included.
const LONGEST_READY: usize = 16 << 20;
/// Bytes of complaints that are kept for the log.
const COMPLAINTS: usize = 4096;
/// After the end of its output, a process has this long to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A process that is locked in and runs one model, batch after batch. Dropped, it is killed.
pub struct ModelProcess {
    requests: mpsc::Sender<Request>,
    running: Arc<Mutex<Option<Child>>>,
    deadline: tokio::time::Instant,
}

/// Why there will be no more answers.
#[derive(Debug)]
pub enum End {
    /// The model is refused, with a sentence from the process: about the file, the form and public facts, as no hidden image
    /// has been shown yet.
    Refused(String),
    /// It can go no further on this batch.
    Trouble(Trouble),
    /// More memory than the limit.
    Memory,
    /// More time than the limit.
    Time,
    /// It ended by itself. What it could say by the way it ended is kept short.
    Crashed(&'static str),
    /// It was killed from outside, perhaps by a machine out of memory.
    Killed,
    /// It answered what no such process would.
    Garbage,
    /// A page of its file could not be read: the store's fault.
    Unreadable,
    /// It could not be started or locked in: the server's fault, with the reason.
    NotStarted(String),
}

/// The exit code of a process that was not locked in, and so ran nothing.
pub const NOT_LOCKED_IN: u8 = 70;

struct Request {
    kind: FrameKind,
    payload: Vec<u8>,
    longest: usize,
    answer: oneshot::Sender<Result<(FrameKind, Vec<u8>), End>>,
}

impl ModelProcess {
    /// Starts `program` with the hidden subcommand, and nothing else of this process: no variable, no descriptor. It may run
    /// for `seconds`.
    ///
    /// A thread of its own starts it and stays with it, because the kernel ends the process with the thread that started it.
    pub fn start(program: &Path, threads: usize, seconds: u64) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg(SUBCOMMAND)
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            // candle's own pool waits by spinning, at the expense of the kernels that share the cores.
            .env("CANDLE_NUM_THREADS", "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (requests, waiting) = mpsc::channel();
        let running = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&running);
        thread::Builder::new()
            .name("model".into())
            .spawn(move || attend(command, &waiting, &shared))?;
        Ok(Self {
            requests,
            running,
            deadline: tokio::time::Instant::now() + Duration::from_secs(seconds),
        })
    }

    /// Has the model loaded, tried and described.
    pub async fn load(&self, start: &Start) -> Result<Ready, End> {
        let payload = serde_json::to_vec(start).map_err(|_| End::Garbage)?;
        let answer = self.ask(FrameKind::Start, payload, LONGEST_READY).await?;
        match answer {
            (FrameKind::Ready, payload) => {
                let ready: Option<Ready> = from_json(&payload).ok();
                ready.and_then(Ready::bounded).ok_or(End::Garbage)
            }
            (FrameKind::Refused, payload) => {
                let refused: Refused = from_json(&payload).map_err(|_| End::Garbage)?;
                Err(End::Refused(bounded(&refused.detail)))
            }
            _ => Err(End::Garbage),
        }
    }

    /// The rows of `count` images, whose pixels are `images`. They are still to be checked.
    pub async fn rows(&self, images: &[u8], count: usize) -> Result<Vec<Row>, End> {
        let payload = [&length(count)?[..], images].concat();
        self.rows_for(FrameKind::Images, payload, count).await
    }

    /// Has only these of the model's columns compared from now on.
    pub async fn keep(&self, columns: &[u32]) -> Result<(), End> {
        let payload = columns.iter().flat_map(|column| column.to_le_bytes());
        match self.ask(FrameKind::Keep, payload.collect(), 1).await? {
            (FrameKind::Kept, payload) if payload.is_empty() => Ok(()),
            _ => Err(End::Garbage),
        }
    }

    /// [`Self::rows`] with the values of pixels by another recipe.
    pub async fn rows_by(
        &self,
        recipe: &Preprocessing,
        images: &[u8],
        count: usize,
    ) -> Result<Vec<Row>, End> {
        let recipe = serde_json::to_vec(recipe).map_err(|_| End::Garbage)?;
        let (said, count_said) = (length(recipe.len())?, length(count)?);
        let payload = [&said[..], &recipe, &count_said, images].concat();
        self.rows_for(FrameKind::Trial, payload, count).await
    }

    async fn rows_for(
        &self,
        kind: FrameKind,
        payload: Vec<u8>,
        count: usize,
    ) -> Result<Vec<Row>, End> {
        let bytes = count * size_of::<Row>();
        match self.ask(kind, payload, bytes.max(1)).await? {
            (FrameKind::Rows, payload) if payload.len() == bytes => Ok(payload
                .chunks_exact(size_of::<Row>())
                .map(|row| {
                    std::array::from_fn(|column| {
                        let at = 4 * column;
                        i32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]])
                    })
                })
                .collect()),
            (FrameKind::Trouble, payload) => {
                Err(Trouble::of(&payload).map_or(End::Garbage, End::Trouble))
            }
            _ => Err(End::Garbage),
        }
    }

    async fn ask(
        &self,
        kind: FrameKind,
        payload: Vec<u8>,
        longest: usize,
    ) -> Result<(FrameKind, Vec<u8>), End> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            kind,
            payload,
            longest,
            answer,
        };
        if self.requests.send(request).is_err() {
            return Err(End::Killed);
        }
        match timeout_at(self.deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(End::Killed),
            Err(_) => {
                self.kill();
                Err(End::Time)
            }
        }
    }

    fn kill(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = running.as_mut() {
            // It may have ended meanwhile.
            let _ = child.kill();
        }
    }
}

impl Drop for ModelProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn length(count: usize) -> Result<[u8; 4], End> {
    let count = u32::try_from(count).map_err(|_| End::Garbage)?;
    Ok(count.to_le_bytes())
}

/// Starts the process, passes requests on and answers back, one at a time, until either side ends.
fn attend(mut command: Command, waiting: &mpsc::Receiver<Request>, running: &Mutex<Option<Child>>) {
    let lock = || running.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            if let Ok(request) = waiting.recv() {
                let _ = request.answer.send(Err(End::NotStarted(error.to_string())));
            }
            return;
        }
    };
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return;
    };
    let complaints = thread::spawn(move || last_words(stderr));
    *lock() = Some(child);
    let mut stdout = BufReader::new(stdout);
    let mut unanswered = None;
    while let Ok(request) = waiting.recv() {
        let answer = write_frame(&mut stdin, request.kind, &request.payload)
            .and_then(|()| read_frame(&mut stdout, request.longest));
        match answer {
            Ok(Some(answer)) => {
                // Whoever asked may have gone; then the next `recv` ends this.
                let _ = request.answer.send(Ok(answer));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let _ = request.answer.send(Err(End::Garbage));
                break;
            }
            Ok(None) | Err(_) => {
                unanswered = Some(request.answer);
                break;
            }
        }
    }
    drop((stdin, stdout));
    // The lock is free again before the waiting begins.
    let child = lock().take();
    let status = child.map(reap);
    let complaints = complaints.join().unwrap_or_default();
    if let Some(answer) = unanswered {
        let end = match status {
            Some(Ok(status)) => cause(status, &complaints),
            _ => End::Killed,
        };
        tracing::info!(?end, complaints, "the process of a model ended");
        let _ = answer.send(Err(end));
    }
}

/// Waits for the process shortly, then kills it.
fn reap(mut child: Child) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()
}

fn cause(status: ExitStatus, complaints: &str) -> End {
    match (status.signal(), status.code()) {
        // What Rust's allocator says before it aborts.
        (Some(libc::SIGABRT), _) if complaints.contains("memory allocation of") => End::Memory,
        (Some(libc::SIGXCPU), _) => End::Time,
        (Some(libc::SIGKILL), _) => End::Killed,
        (Some(libc::SIGBUS), _) => End::Unreadable,
        (Some(libc::SIGSEGV), _) => End::Crashed("a memory fault"),
        (Some(libc::SIGABRT), _) => End::Crashed("an abort"),
        (None, Some(code)) if code == i32::from(NOT_LOCKED_IN) => {
            End::NotStarted(complaints.trim().to_owned())
        }
        _ => End::Crashed("a failure of its own"),
    }
}

/// Reads to the end, keeps the last bytes.
fn last_words(mut stderr: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * COMPLAINTS {
            kept.drain(..kept.len() - COMPLAINTS);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;

use referee_networks::DeviceChoice;
use referee_networks::predict::ModelFile;
use referee_scoring::model_form::Recipe;
use referee_scoring::record::Row;

use super::engine::Engine;
use super::frames::{FrameKind, LONGEST, Refused, from_json, read_frame, write_frame, write_json};
use super::model::Start;
use super::process::NOT_LOCKED_IN;
use super::sandbox::{close_inherited, lock_in};

/// The life of a process that runs one model: it opens the model's files, locks itself in, looks at them, and then turns batches
/// of pixels into rows until its input ends. To be called before any thread is started.
pub fn run_child() -> ExitCode {
    match live() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken::Server(reason)) => {
            eprintln!("{reason}");
            ExitCode::from(NOT_LOCKED_IN)
        }
        // The worker has gone, or something talks that is no worker.
        Err(Broken::Pipe(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

enum Broken {
    /// Nothing of the model has been looked at yet.
    Server(String),
    Pipe(io::Error),
}

impl Broken {
    fn server(error: impl std::fmt::Display) -> Self {
        Self::Server(error.to_string())
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Pipe(error)
    }
}

fn live() -> Result<(), Broken> {
    close_inherited().map_err(Broken::server)?;
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let Some((FrameKind::Start, start)) = read_frame(&mut input, LONGEST)? else {
        return Err(Broken::server(
            "this is started by an inference worker, not by hand",
        ));
    };
    let start: Start = from_json(&start).map_err(Broken::server)?;
    // The last that is opened. What is in the files is looked at inside only.
    let file = ModelFile::open(&start.filename, &start.model, &start.data);
    let file = file.map_err(Broken::server)?;
    let device = start.device.parse::<DeviceChoice>();
    let device = device.map_err(Broken::server)?;
    let device = lock_in(&start.limits, || device.open_completely())
        .map_err(Broken::server)?
        .map_err(Broken::server)?;

    let mut engine = match Engine::load(file, &start, &device) {
        Ok((engine, ready)) => {
            write_json(&mut output, FrameKind::Ready, &ready)?;
            engine
        }
        Err(detail) => {
            write_json(&mut output, FrameKind::Refused, &Refused { detail })?;
            return Ok(());
        }
    };
    while let Some((kind, payload)) = read_frame(&mut input, LONGEST)? {
        let (recipe, rest) = match kind {
            FrameKind::Keep => {
                engine.keep(&payload).map_err(io::Error::other)?;
                write_frame(&mut output, FrameKind::Kept, &[])?;
                continue;
            }
            FrameKind::Images => (None, payload.as_slice()),
            FrameKind::Trial => {
                let (recipe, rest) = counted(&payload)
                    .and_then(|(length, rest)| rest.split_at_checked(length))
                    .ok_or_else(no_images)?;
                (Some(from_json::<Recipe>(recipe)?), rest)
            }
            _ => return Err(no_images().into()),
        };
        let (count, pixels) = counted(rest).ok_or_else(no_images)?;
        let rows = match recipe {
            None => engine.rows(pixels, count),
            Some(recipe) => engine.rows_by(&recipe, pixels, count),
        };
        match rows {
            Ok(rows) => write_rows(&mut output, &rows)?,
            Err(trouble) => write_frame(&mut output, FrameKind::Trouble, &[trouble as u8])?,
        }
    }
    Ok(())
}

fn no_images() -> io::Error {
    io::Error::other("only images come now")
}

/// A number, and what stands after it.
fn counted(payload: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = payload.split_first_chunk()?;
    Some((u32::from_le_bytes(*number) as usize, rest))
}

fn write_rows(output: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let bytes: Vec<u8> = rows
        .as_flattened()
        .iter()
        .flat_map(|class| class.to_le_bytes())
        .collect();
    write_frame(output, FrameKind::Rows, &bytes)
}

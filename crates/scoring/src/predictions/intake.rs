//! What is no prediction file can often be told from its first bytes; the sentence says what to send instead.

use crate::model_form::refuse_packaging;
use crate::npy;

const PICKLE: &str = "this is a pickle, which is never read (loading one runs its code): save the array with np.save, or write CSV";
const NPZ: &str = "this is an .npz archive: save the one array with np.save instead of np.savez";
const TORCH: &str = "this is a PyTorch file, which only pickle can read: save predictions with np.save('predictions.npy', array.cpu().numpy())";
const SPREADSHEET: &str =
    "this is a spreadsheet: save it as CSV in UTF-8 with the header image,label1,…";
const MODEL: &str = "this is a model, not predictions: submit it with kind=model";

/// What a file was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Labels,
    Classes,
}

/// The sentence for a file that cannot be labels, or no class list, from its first bytes. JSON may be either.
pub(crate) fn refuse_by_leading_bytes_as(purpose: Purpose, head: &[u8]) -> Option<String> {
    let (what, form) = match purpose {
        Purpose::Labels => ("labels", "CSV in UTF-8 with the header image,label"),
        Purpose::Classes => ("a class list", "text in UTF-8, one class name per line"),
    };
    if head.starts_with(npy::MAGIC) {
        return Some(format!("this is an NPY array: save {what} as {form}"));
    }
    if head.starts_with(b"version https://git-lfs") {
        return Some(format!(
            "this is only a pointer to a file kept by Git LFS: run `git lfs pull`, and give {what} as {form}"
        ));
    }
    let sentence = by_content(head)?;
    if matches!(head, [b'{' | b'[' | b'<', ..]) {
        return (purpose == Purpose::Labels && head[0] == b'<').then(|| {
            format!("this looks like HTML or XML, perhaps an error page: send {what} as {form}")
        });
    }
    let fact = sentence.split(": ").next().unwrap_or(sentence);
    Some(match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => sentence.to_owned(),
        _ => format!("{fact}: save {what} as {form}"),
    })
}

/// The sentence for a file that cannot be predictions, from its first bytes (a kilobyte is enough) and, if known, its name.
///
/// None means that it may be predictions; [`super::read`] then decides. Of a compressed file only the outside is seen here.
pub fn refuse_by_leading_bytes(head: &[u8], filename: Option<&str>) -> Option<String> {
    let extension = filename
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    refuse_packaging(head, filename)
        .or_else(|| by_content(head))
        .or_else(|| by_extension(&extension))
        .map(str::to_owned)
}

fn by_content(head: &[u8]) -> Option<&'static str> {
    let sentence = match head {
        // Safetensors, before what its header's length may look like.
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => MODEL,
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => in_zip(head),
        [0x80, 2..=5, ..] => PICKLE,
        [0x89, b'H', b'D', b'F', b'\r', b'\n', ..] => {
            "this is an HDF5 file: save the array with np.save('predictions.npy', np.asarray(dataset))"
        }
        [b'P', b'A', b'R', b'1', ..] => {
            "this is a Parquet file: write CSV with table.to_csv('predictions.csv', index=False)"
        }
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            "this is an Arrow file: write CSV with table.to_csv('predictions.csv', index=False)"
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => SPREADSHEET,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "this is UTF-16 text: save it as UTF-8 (in PowerShell: -Encoding utf8)"
        }
        [b'M', b'A', b'T', b'L', b'A', b'B', ..] => {
            "this is a MATLAB file: write text with writematrix(labels, 'predictions.txt', 'Delimiter', ' ')"
        }
        [0xfd, b'7', b'z', b'X', b'Z', ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', ..]
        | [b'7', b'z', 0xbc, 0xaf, ..]
        | [b'R', b'a', b'r', b'!', ..] => {
            "this compression is not accepted: use gzip or zstd, or send the file as it is"
        }
        [0xff, 0xd8, 0xff, ..] | [0x89, b'P', b'N', b'G', ..] => {
            "this is an image: send predictions, not pictures"
        }
        [b'%', b'P', b'D', b'F', ..] => "this is a PDF: send predictions as text, CSV or NPY",
        [b'{' | b'[', ..] => "this looks like JSON: send predictions as text, CSV or NPY",
        [b'<', ..] => {
            "this looks like HTML or XML, perhaps an error page: send predictions as text, CSV or NPY"
        }
        _ if head.get(257..262) == Some(b"ustar") => {
            "this is a tar archive: send the one prediction file in it"
        }
        _ => return None,
    };
    Some(sentence)
}

/// What a zip archive is, from the names of its first members.
fn in_zip(head: &[u8]) -> &'static str {
    let holds = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    if holds(b"data.pkl") || holds(b"/byteorder") {
        TORCH
    } else if holds(b".npy") {
        NPZ
    } else if holds(b"[Content_Types].xml") || holds(b"xl/") || holds(b"opendocument") {
        SPREADSHEET
    } else {
        "this is a zip archive: send the one prediction file in it, as it is or compressed with gzip or zstd"
    }
}

fn by_extension(extension: &str) -> Option<&'static str> {
    match extension {
        "pkl" | "pickle" | "joblib" => Some(PICKLE),
        "npz" => Some(NPZ),
        "pt" | "pth" => Some(TORCH),
        "xls" | "xlsx" | "ods" => Some(SPREADSHEET),
        "safetensors" | "onnx" => Some(MODEL),
        _ => None,
    }
}

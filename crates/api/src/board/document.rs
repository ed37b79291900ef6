use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use referee_client::documents::{
    BestEntry, Entry, Kind, Leaderboard, LeaderboardEntry, Primary, Split,
};
use referee_storage::challenges::settings;
use referee_storage::leaderboard::{Placed, Standing};
use referee_storage::submissions;
use uuid::Uuid;

use super::csv;

/// A board, ready to be sent.
pub struct EncodedBoard {
    revision: i64,
    json: Body,
    leaderboard: Leaderboard,
    csv: OnceLock<Body>,
    submissions: HashSet<Uuid>,
}

/// The same bytes as they are and compressed.
#[derive(Clone, Debug)]
pub struct Body {
    pub plain: Bytes,
    pub gzip: Bytes,
}

impl EncodedBoard {
    /// Takes some 100 ms for 10,000 teams: not for an async thread.
    pub fn new(standing: &Standing, split: Split, placed: Vec<Placed>) -> io::Result<Self> {
        let leaderboard = Leaderboard {
            challenge: standing.slug.clone(),
            split,
            primary: match standing.primary {
                settings::Primary::Top1 => Primary::Top1,
                settings::Primary::Top5 => Primary::Top5,
            },
            label_version: standing.label_version.map(i32::unsigned_abs),
            revision: standing.revision,
            as_of: standing.changed_at,
            entries: placed.into_iter().map(entry).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            revision: leaderboard.revision,
            json: Body::new(serde_json::to_vec(&leaderboard)?)?,
            submissions: leaderboard
                .entries
                .iter()
                .map(|entry| entry.submission)
                .collect(),
            leaderboard,
            csv: OnceLock::new(),
        })
    }

    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether this submission stands on the board.
    pub fn shows(&self, submission: Uuid) -> bool {
        self.submissions.contains(&submission)
    }

    /// Whoever has rank 1.
    pub fn best(&self) -> Option<BestEntry> {
        let first = self
            .leaderboard
            .entries
            .iter()
            .find(|entry| entry.rank == Some(1))?;
        Some(BestEntry {
            split: self.leaderboard.split,
            team: first.team.clone(),
            method: first.method.clone(),
            submission: first.submission,
            top1_error: first.top1_error,
            top5_error: first.top5_error,
        })
    }

    pub fn json(&self) -> &Body {
        &self.json
    }

    /// Made when first asked for, which takes some 50 ms for 10,000 teams: not for an async thread.
    pub fn csv(&self) -> io::Result<&Body> {
        if let Some(body) = self.csv.get() {
            return Ok(body);
        }
        let body = Body::new(csv::encode(&self.leaderboard).into_bytes())?;
        Ok(self.csv.get_or_init(|| body))
    }
}

impl Body {
    fn new(plain: Vec<u8>) -> io::Result<Self> {
        let mut gzip = GzEncoder::new(Vec::with_capacity(plain.len() / 16), Compression::default());
        gzip.write_all(&plain)?;
        Ok(Self {
            plain: plain.into(),
            gzip: gzip.finish()?.into(),
        })
    }
}

fn entry(placed: Placed) -> Result<LeaderboardEntry, serde_json::Error> {
    Ok(LeaderboardEntry {
        rank: placed.rank,
        rank_low: placed.rank_range.map(|(low, _)| low),
        rank_high: placed.rank_range.map(|(_, high)| high),
        team: placed.team,
        submission: placed.submission,
        method: placed.method,
        kind: kind(placed.kind),
        entry: capacity(placed.entry),
        outside_data: placed.outside_data,
        late: placed.late,
        top1_error: placed.tally.top1_error(),
        top5_error: placed.tally.top5_error(),
        top1_interval: placed.tally.top1_interval().into(),
        top5_interval: placed.tally.top5_interval().into(),
        model: placed.model.map(serde_json::from_value).transpose()?,
        paper_url: placed.paper_url,
        code_url: placed.code_url,
        submitted_at: placed.received_at,
    })
}

pub fn kind(kind: submissions::Kind) -> Kind {
    match kind {
        submissions::Kind::Predictions => Kind::Predictions,
        submissions::Kind::Model => Kind::Model,
    }
}

pub fn capacity(entry: submissions::Entry) -> Entry {
    match entry {
        submissions::Entry::Competitor => Entry::Competitor,
        submissions::Entry::Baseline => Entry::Baseline,
    }
}

use referee_client::documents::{self, Entry, LeaderboardEntry, Primary, Split};

use crate::connection::Connection;
use crate::output::{self, Align, percent, percent_interval};

/// Show a challenge's leaderboard
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee leaderboard fashion-mnist")]
pub struct Leaderboard {
    #[arg(value_name = "SLUG")]
    challenge: String,
    /// The board of the private images, shown after the close
    #[arg(long, value_name = "SPLIT", default_value = "public", value_parser = ["public", "private"])]
    split: String,
    /// Print the JSON document
    #[arg(long)]
    json: bool,
    /// Print CSV, with every column
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Leaderboard {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let split = if self.split == "private" {
            Split::Private
        } else {
            Split::Public
        };
        if self.csv {
            return output::print(&client.leaderboard_csv(&self.challenge, split).await?);
        }
        let board = client.leaderboard(&self.challenge, split).await?;
        if self.json {
            return output::print_json(&board);
        }
        output::print(&board_text(&board))
    }
}

/// The board as people read it: one line an entry, the error that ranks with its interval.
pub fn board_text(board: &documents::Leaderboard) -> String {
    if board.entries.is_empty() {
        return format!(
            "Nobody is on the {} board of {} yet.\n",
            board.split, board.challenge
        );
    }
    let rows = board.entries.iter().map(|entry| {
        let interval = match board.primary {
            Primary::Top1 => entry.top1_interval,
            Primary::Top5 => entry.top5_interval,
        };
        [
            rank(entry),
            entry.team.clone(),
            entry.method.clone(),
            percent(entry.top1_error),
            percent(entry.top5_error),
            percent_interval(interval),
            entry.submitted_at.format("%F %R").to_string(),
        ]
    });
    let interval = format!("95 % of {}", board.primary);
    let columns = [
        ("rank", Align::Right),
        ("team", Align::Left),
        ("method", Align::Left),
        ("top-1 error", Align::Right),
        ("top-5 error", Align::Right),
        (interval.as_str(), Align::Right),
        ("submitted (UTC)", Align::Left),
    ];
    output::table(columns, rows)
}

/// `3`, `3 (2–5)` where it is statistically tied with others, or why it has none.
fn rank(entry: &LeaderboardEntry) -> String {
    match (entry.rank, entry.rank_low, entry.rank_high) {
        (Some(rank), Some(low), Some(high)) if low != high => format!("{rank} ({low}–{high})"),
        (Some(rank), ..) => rank.to_string(),
        (None, ..) if entry.entry == Entry::Baseline => "baseline".to_owned(),
        (None, ..) => "late".to_owned(),
    }
}

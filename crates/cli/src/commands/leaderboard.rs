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
    let has_models = board.entries.iter().any(|entry| entry.model.is_some());
    let rows = board.entries.iter().map(|entry| {
        let interval = match board.primary {
            Primary::Top1 => entry.top1_interval,
            Primary::Top5 => entry.top5_interval,
        };
        let mut row = vec![
            rank(entry),
            entry.team.clone(),
            entry.method.clone(),
            entry.kind.to_string(),
            percent(entry.top1_error),
            percent(entry.top5_error),
            percent_interval(interval),
        ];
        if has_models {
            row.extend(characteristics(entry));
        }
        row.push(entry.submitted_at.format("%F %R").to_string());
        row
    });
    let interval = format!("95 % of {}", board.primary);
    let mut columns = vec![
        ("rank", Align::Right),
        ("team", Align::Left),
        ("method", Align::Left),
        ("kind", Align::Left),
        ("top-1 error", Align::Right),
        ("top-5 error", Align::Right),
        (interval.as_str(), Align::Right),
    ];
    if has_models {
        columns.extend(CHARACTERISTICS.map(|column| (column, Align::Right)));
    }
    columns.push(("submitted (UTC)", Align::Left));
    output::table(columns, rows)
}

const CHARACTERISTICS: [&str; 4] = ["parameters", "MACs", "depth", "images/s"];

/// What a model costs; blank for predictions.
fn characteristics(entry: &LeaderboardEntry) -> [String; 4] {
    let text = |number: Option<String>| number.unwrap_or_default();
    let model = entry.model.as_ref();
    [
        text(model.and_then(|model| model.parameters).map(short)),
        text(model.and_then(|model| model.macs).map(short)),
        text(
            model
                .and_then(|model| model.depth)
                .map(|depth| depth.to_string()),
        ),
        text(
            model
                .and_then(|model| model.images_per_second)
                .map(output::speed),
        ),
    ]
}

/// Three digits and a letter: `25.6 M`.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
fn short(count: u64) -> String {
    let scales = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let number = count as f64;
    match scales.into_iter().find(|(scale, _)| number >= *scale) {
        Some((scale, letter)) if number >= 100.0 * scale => {
            format!("{:.0} {letter}", number / scale)
        }
        Some((scale, letter)) => format!("{:.1} {letter}", number / scale),
        None => count.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of torchvision's ResNet-50 and VGG-16, the latter's MACs, and the MACs of a perceptron on 28 × 28 pixels.
    #[test]
    fn counts_are_short() {
        let counts = [25_557_032, 138_357_544, 15_470_264_320, 7840, 10].map(short);
        assert_eq!(counts, ["25.6 M", "138 M", "15.5 G", "7.8 k", "10"]);
    }
}

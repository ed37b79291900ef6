//! A leaderboard for spreadsheets: RFC 4180, and no cell that a spreadsheet would take for a formula.

use std::fmt::{Display, Write};

use chrono::SecondsFormat;
use referee_client::documents::{Leaderboard, LeaderboardEntry, ModelProfile};

const HEADER: &str = "rank,rank_low,rank_high,team,submission,method,kind,entry,outside_data,late,top1_error,top5_error,\
    top1_interval_low,top1_interval_high,top5_interval_low,top5_interval_high,model_architecture,model_parameters,\
    model_macs,model_depth,model_precision,model_folded,model_images_per_second,model_device,paper_url,code_url,\
    submitted_at\r\n";

/// The columns of the JSON document; what is `null` there is empty.
pub fn encode(board: &Leaderboard) -> String {
    let mut csv = String::with_capacity(HEADER.len() + board.entries.len() * 256);
    csv.push_str(HEADER);
    for entry in &board.entries {
        let mut line = Line {
            csv: &mut csv,
            begun: false,
        };
        write_entry(&mut line, entry);
        csv.push_str("\r\n");
    }
    csv
}

fn write_entry(line: &mut Line<'_>, entry: &LeaderboardEntry) {
    line.value(entry.rank);
    line.value(entry.rank_low);
    line.value(entry.rank_high);
    line.text(&entry.team);
    line.value(Some(entry.submission));
    line.text(&entry.method);
    line.value(Some(entry.kind));
    line.value(Some(entry.entry));
    line.value(Some(entry.outside_data));
    line.value(Some(entry.late));
    line.value(Some(entry.top1_error));
    line.value(Some(entry.top5_error));
    for bound in entry.top1_interval.into_iter().chain(entry.top5_interval) {
        line.value(Some(bound));
    }
    let none = ModelProfile::default();
    let model = entry.model.as_ref();
    let profile = model.unwrap_or(&none);
    line.text(profile.architecture.as_deref().unwrap_or_default());
    line.value(profile.parameters);
    line.value(profile.macs);
    line.value(profile.depth);
    line.text(profile.precision.as_deref().unwrap_or_default());
    line.value(model.map(|model| model.folded));
    line.value(profile.images_per_second);
    line.text(profile.device.as_deref().unwrap_or_default());
    line.text(entry.paper_url.as_deref().unwrap_or_default());
    line.text(entry.code_url.as_deref().unwrap_or_default());
    line.value(Some(
        entry
            .submitted_at
            .to_rfc3339_opts(SecondsFormat::AutoSi, true),
    ));
}

struct Line<'a> {
    csv: &'a mut String,
    begun: bool,
}

impl Line<'_> {
    /// A cell that the server wrote: a number, a word or a time.
    fn value(&mut self, value: Option<impl Display>) {
        self.comma();
        if let Some(value) = value {
            write!(self.csv, "{value}").expect("writing to a string does not fail");
        }
    }

    /// A cell that a competitor wrote. A spreadsheet runs what begins with one of these characters, and where its user's language
    /// separates cells by something else than a comma, a cell begins in the middle of this one.
    fn text(&mut self, text: &str) {
        self.comma();
        let quoted = text.contains([',', ';', '|', '\t', '"', '\r', '\n']);
        if quoted {
            self.csv.push('"');
        }
        let mut begins = true;
        for character in text.chars() {
            if begins && matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r') {
                self.csv.push('\'');
            }
            if character == '"' {
                self.csv.push('"');
            }
            self.csv.push(character);
            begins = matches!(character, ',' | ';' | '|' | '\t' | '\r' | '\n' | '"')
                || begins && character.is_whitespace();
        }
        if quoted {
            self.csv.push('"');
        }
    }

    fn comma(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.csv.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut csv = String::new();
        Line {
            csv: &mut csv,
            begun: false,
        }
        .text(text);
        csv
    }

    /// CWE-1236 and OWASP's page on CSV injection, which names the separators.
    #[test]
    fn no_part_of_a_cell_is_a_formula() {
        for (text, written) in [
            ("kNN, k = 5", "\"kNN, k = 5\""),
            ("ResNet-50 + SE", "ResNet-50 + SE"),
            ("=1+1", "'=1+1"),
            ("a;=1+1", "\"a;'=1+1\""),
            ("a; -2", "\"a; '-2\""),
            ("a\t@sum", "\"a\t'@sum\""),
            ("a\",=cmd", "\"a\"\",'=cmd\""),
            ("https://a.example/?b=c", "https://a.example/?b=c"),
        ] {
            assert_eq!(cell(text), written, "{text}");
        }
    }
}

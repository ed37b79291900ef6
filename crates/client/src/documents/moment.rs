//! Moments as people write them: RFC 3339, and a sentence of its own for what lacks the time or the zone.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Reads RFC 3339.
///
/// # Errors
/// What is missing, and how it is written.
pub fn parse_moment(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| {
        let is_local = text.parse::<NaiveDateTime>().is_ok()
            || NaiveDateTime::parse_from_str(text, "%F %T").is_ok();
        if is_local {
            let moment = text.replace(' ', "T");
            format!("`{text}` has no time zone: write {moment}Z for UTC, or {moment}+02:00 with your own offset")
        } else if text.parse::<NaiveDate>().is_ok() {
            format!("`{text}` is a day without a time: write {text}T00:00:00Z for its beginning in UTC")
        } else {
            format!("`{text}` is no date with a time and its offset: write 2026-01-01T00:00:00Z")
        }
    })
}

/// A moment or `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let moment = text.map(|text| parse_moment(&text)).transpose();
    moment.map_err(D::Error::custom)
}

/// The same in a patch, where absence is a third case.
#[expect(
    clippy::option_option,
    reason = "a patch has three cases: leave alone, clear, set"
)]
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<DateTime<Utc>>>, D::Error> {
    optional(deserializer).map(Some)
}

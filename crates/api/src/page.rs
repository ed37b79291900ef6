//! Lists in parts: newest first, `?limit=` and `&after=`.

use referee_client::documents::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items at most: 50 unless said, never more than 200.
    pub limit: Option<u32>,
    /// The `next` of the part before.
    pub after: Option<Uuid>,
}

impl PageQuery {
    /// How many items to show.
    fn limit(self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 200)
    }

    /// How many items to look for: one more than is shown tells whether there are more.
    pub fn wanted(self) -> i64 {
        i64::from(self.limit()) + 1
    }

    /// The part out of up to [`Self::wanted`] items with their ids.
    pub fn page<T>(self, mut items: Vec<(Uuid, T)>) -> Page<T> {
        let has_more = items.len() > self.limit() as usize;
        items.truncate(self.limit() as usize);
        let next = items
            .last()
            .filter(|_| has_more)
            .map(|(id, _)| id.to_string());
        Page {
            items: items.into_iter().map(|(_, item)| item).collect(),
            next,
        }
    }
}

//! In which order the names of a challenge's test images are counted.

use referee_scoring::ImageOrder;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StorageError;

/// An order as the column holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum StoredOrder {
    Bytes,
    Natural,
}

impl From<StoredOrder> for ImageOrder {
    fn from(order: StoredOrder) -> Self {
        match order {
            StoredOrder::Bytes => Self::Bytes,
            StoredOrder::Natural => Self::Natural,
        }
    }
}

impl From<ImageOrder> for StoredOrder {
    fn from(order: ImageOrder) -> Self {
        match order {
            ImageOrder::Bytes => Self::Bytes,
            ImageOrder::Natural => Self::Natural,
        }
    }
}

/// Says in which order the names are counted, and counts those that are there in it: labels that were read in another order have to
/// come once more.
pub(super) async fn put(
    connection: &mut PgConnection,
    challenge: Uuid,
    order: ImageOrder,
) -> Result<(), StorageError> {
    let row = sqlx::query!(
        "SELECT image_names, image_sizes FROM challenges WHERE id = $1",
        challenge
    )
    .fetch_one(&mut *connection)
    .await?;
    let (names, sizes, is_other) = in_order(row.image_names, row.image_sizes, order);
    sqlx::query!(
        r#"
        UPDATE challenges
        SET image_order = $2,
            image_names = $3,
            image_sizes = $4,
            label_leak_checked = label_leak_checked AND NOT $5,
            facts_revision = facts_revision + 1
        WHERE id = $1
        "#,
        challenge,
        StoredOrder::from(order) as StoredOrder,
        names.as_deref(),
        sizes.as_deref(),
        is_other,
    )
    .execute(connection)
    .await?;
    Ok(())
}

type Counted = (Option<Vec<String>>, Option<Vec<i64>>, bool);

/// Names and sizes in another order, and whether it is another for these.
fn in_order(names: Option<Vec<String>>, sizes: Option<Vec<i64>>, order: ImageOrder) -> Counted {
    let Some(names) = names else {
        return (None, sizes, false);
    };
    let mut places: Vec<usize> = (0..names.len()).collect();
    places.sort_by(|&a, &b| order.compare(&names[a], &names[b]));
    let is_other = !places.is_sorted();
    let sizes = sizes.map(|sizes| places.iter().map(|&place| sizes[place]).collect());
    let names = places.iter().map(|&place| names[place].clone()).collect();
    (Some(names), sizes, is_other)
}

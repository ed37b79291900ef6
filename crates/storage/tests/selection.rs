//! What a team selects for the private board, from two pages at once.

mod arena;

use arena::Arena;
use referee_storage::submissions::Kind;
use referee_storage::submissions::marks::{Changes, SelectionRefusal, change};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn who_waits_for_another_selection_sees_what_it_has_changed() {
    let arena = Arena::new(true, None).await;
    let ann = arena.person("ann").await;
    let first = arena.submit(ann, Kind::Predictions).await;
    let second = arena.submit(ann, Kind::Predictions).await;
    let api = &arena.database.api;
    let select = Changes {
        selected: Some(true),
        ..Changes::default()
    };
    let selected = change(api, first, ann, &select).await;
    selected.expect("change").expect("the only one");

    let mut owner = PgConnection::connect(arena.database.owner_url())
        .await
        .expect("connect");
    // The other page takes the second in the place of the first.
    let mut other = owner.begin().await.expect("begin");
    sqlx::query("SELECT FROM teams FOR NO KEY UPDATE")
        .execute(&mut *other)
        .await
        .expect("lock");
    sqlx::query("UPDATE submissions SET selected = id = $1")
        .bind(second)
        .execute(&mut *other)
        .await
        .expect("select");
    let commit = async {
        arena.database.until_somebody_waits().await;
        other.commit().await.expect("commit");
    };
    let (selected, ()) = tokio::join!(change(api, first, ann, &select), commit);
    let refusal = selected.expect("change").expect_err("one is the limit");
    assert!(
        matches!(refusal, SelectionRefusal::Full { limit: 1, .. }),
        "{refusal}"
    );
}

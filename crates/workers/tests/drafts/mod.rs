//! What the scorer finds in a draft before it is published.

use referee_storage::scorer;

use crate::arena::Arena;
use crate::truth;

fn labels(images: usize, class: impl Fn(usize) -> usize) -> String {
    std::iter::once("image,label\n".to_owned())
        .chain((0..images).map(|image| format!("{image},{}\n", class(image))))
        .collect()
}

/// Without a pattern.
fn scattered(image: usize) -> usize {
    let x = (image as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 40).expect("small")
}

async fn finding(arena: &Arena) -> Option<String> {
    arena
        .eventually("an answer", async || arena.leak_checks().await.1)
        .await;
    arena.leak().await
}

/// The sentence has no figure and no name of an image or class.
#[tokio::test]
async fn labels_in_the_order_of_their_classes_are_found_out() {
    let arena = Arena::draft(1000).await;
    arena
        .upload_labels(&labels(1000, |image| image / 100))
        .await;
    let sentence = finding(&arena).await.expect("a finding");
    assert_eq!(
        sentence,
        "the order of the images gives the labels of all images away: run `referee challenge shuffle DIR` first (`referee challenge check \
         DIR` says what tells them), or pass --known-labels if these labels are public anyway"
    );
}

/// Names and their order say nothing; who downloads the archive sees where each file lies.
#[tokio::test]
async fn the_order_of_the_files_in_the_archive_is_found_out() {
    let arena = Arena::draft(400).await;
    let class = |image: usize| scattered(image) % 10;
    let by_class: Vec<usize> = (0..400).map(|image| class(image) * 1000 + image).collect();
    arena.upload_images(&by_class).await;
    arena.upload_labels(&named(400, class)).await;
    let sentence = finding(&arena).await.expect("a finding");
    assert!(
        sentence.starts_with(
            "the order of the files in the archive gives the labels of most images away: "
        ),
        "{sentence}"
    );
    let mended: Vec<usize> = (0..400).collect();
    arena.upload_images(&mended).await;
    assert_eq!(finding(&arena).await, None);
}

fn named(images: usize, class: impl Fn(usize) -> usize) -> String {
    std::iter::once("image,label\n".to_owned())
        .chain((0..images).map(|image| format!("{image:06}.png,{}\n", class(image))))
        .collect()
}

#[tokio::test]
async fn what_was_found_in_labels_that_were_replaced_says_nothing_about_these() {
    let arena = Arena::draft(1000).await;
    arena.stop_scorer().await;
    arena.upload_labels(&labels(1000, truth)).await;
    let db = &arena.database.scorer;
    let facts = scorer::facts(db, arena.challenge).await.expect("read");
    let looked_at = facts.expect("a test set").revision;
    arena
        .upload_labels(&labels(1000, |image| image / 100))
        .await;
    scorer::mark_leak(db, arena.challenge, looked_at, None)
        .await
        .expect("mark");
    arena.start_scorer().await;
    assert!(finding(&arena).await.is_some());
}

/// Each answer tells something about sealed labels to who makes up the names.
#[tokio::test]
async fn a_draft_is_answered_twenty_times() {
    let arena = Arena::draft(200).await;
    for answers in 1..=20 {
        arena
            .upload_labels(&labels(200, |image| (image + answers) / 20 % 10))
            .await;
        let sentence = finding(&arena).await.expect("sorted labels");
        assert!(
            sentence.starts_with("the order of the images"),
            "{sentence}"
        );
        assert_eq!(
            arena.leak_checks().await.0,
            i32::try_from(answers).expect("small")
        );
    }
    arena.upload_labels(&labels(200, scattered_class)).await;
    let sentence = finding(&arena).await.expect("a refusal");
    assert!(
        sentence.starts_with("this draft was checked 20 times"),
        "{sentence}"
    );
}

fn scattered_class(image: usize) -> usize {
    scattered(image) % 10
}

#[tokio::test]
async fn a_published_challenge_is_not_answered() {
    let arena = Arena::draft(200).await;
    arena.upload_labels(&labels(200, scattered_class)).await;
    assert_eq!(finding(&arena).await, None);
    arena.version_shown(1).await;
    arena.publish().await;
    arena.upload_labels(&labels(200, |image| image / 20)).await;
    arena.version_shown(2).await;
    assert_eq!(arena.leak().await, None);
    assert_eq!(arena.leak_checks().await, (20, false));
    let db = &arena.database.scorer;
    assert!(
        scorer::due_check(db, arena.challenge)
            .await
            .expect("read")
            .is_none()
    );
}

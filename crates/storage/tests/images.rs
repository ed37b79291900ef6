//! Uploaded pictures are looked at once, by one worker at a time, and what is found goes when they are replaced.

#[expect(dead_code, reason = "nothing is submitted here")]
mod arena;

use referee_scoring::ImageList;
use referee_storage::challenges::files::{
    Content, Purpose, TestImages, has_unseen_pictures, image_problems, put_file, put_test_images,
};
use referee_storage::inference::{
    finish_check, has_overdue_look, hold_check, leave_check, report_picture, take_unchecked,
};
use referee_storage::objects::Stored;

use arena::Arena;

fn stored(key: &str) -> Stored {
    Stored {
        key: key.into(),
        bytes: 1,
        sha256: [0; 32],
    }
}

impl Arena {
    async fn upload(&self, key: &str) {
        let (file, images) = (stored(key), ImageList::ordinals(3));
        let put = put_test_images(
            &self.database.api,
            "arena",
            "images.tar",
            &file,
            &images,
            None,
            Some(&[1, 1, 1]),
        );
        let put = put.await.expect("put");
        assert!(matches!(put, TestImages::Stored { .. }), "{put:?}");
    }

    async fn problems(&self) -> Vec<(Purpose, String)> {
        image_problems(&self.database.api, self.challenge)
            .await
            .expect("read")
    }
}

#[tokio::test]
async fn images_are_looked_at_once_and_anew_when_they_are_replaced() {
    let arena = Arena::new(true, None).await;
    let worker = &arena.database.inference;
    arena.upload("one").await;
    let validation = stored("validation");
    let put = |purpose: Purpose, file, content| {
        let (db, key) = (&arena.database.api, purpose.key());
        put_file(db, arena.challenge, purpose, key, "file", file, content)
    };
    put(Purpose::ValidationImages, &validation, Content::Pictures)
        .await
        .expect("put");
    put(Purpose::ValidationLabels, &stored("labels"), Content::Plain)
        .await
        .expect("put");
    let is_unseen = async || {
        has_unseen_pictures(&arena.database.api, arena.challenge)
            .await
            .expect("ask")
    };

    let is_overdue = async || has_overdue_look(worker).await.expect("ask");
    assert!(!is_overdue().await, "they have just come");
    let earlier = "UPDATE challenge_files SET uploaded_at = uploaded_at - interval '1 minute'";
    arena.database.as_owner(earlier).await;
    assert!(is_overdue().await);
    let take = async || take_unchecked(worker).await.expect("take");
    let first = take().await.expect("the oldest");
    assert_eq!(first.object_key, "one");
    let second = take().await.expect("another");
    assert_eq!(second.object_key, "validation");
    assert!(take().await.is_none(), "both are in work; labels are none");
    assert!(!is_overdue().await);
    leave_check(worker, &first).await.expect("leave");
    let again = take().await.expect("left off");
    assert_eq!(again.object_key, "one");

    let half_a_minute = "UPDATE challenge_files
        SET check_leased_until = check_leased_until - interval '30 seconds'
        WHERE purpose IN ('test-images', 'validation-images')";
    arena.database.as_owner(half_a_minute).await;
    hold_check(worker, &first).await.expect("hold");
    let after_a_death = take().await.expect("whoever took it has died");
    assert_eq!(after_a_death.object_key, "validation");
    assert!(take().await.is_none(), "the other's worker lives");

    finish_check(worker, &second, None).await.expect("finish");
    assert!(is_unseen().await, "one of two");
    finish_check(worker, &first, Some("2 of 3 are broken"))
        .await
        .expect("finish");
    assert!(take().await.is_none());
    assert!(!is_unseen().await);
    let found = [(Purpose::TestImages, "2 of 3 are broken".to_owned())];
    assert_eq!(arena.problems().await, found);
    // A model's run that meets one picture knows less.
    report_picture(worker, &first, "image 1 is broken")
        .await
        .expect("report");
    assert_eq!(arena.problems().await, found);

    arena.upload("two").await;
    assert!(is_unseen().await);
    assert_eq!(arena.problems().await, []);
    // What comes late is about images that are there no more.
    finish_check(worker, &first, Some("late"))
        .await
        .expect("finish");
    report_picture(worker, &first, "late")
        .await
        .expect("report");
    assert_eq!(arena.problems().await, []);
    let replaced = take().await.expect("nobody has looked");
    assert_eq!(replaced.object_key, "two");
    report_picture(worker, &replaced, "image 1 is broken")
        .await
        .expect("report");
    assert_eq!(arena.problems().await.len(), 1);
}

/// An array holds what it says, or is refused when it is received.
#[tokio::test]
async fn arrays_are_no_pictures() {
    let arena = Arena::new(true, None).await;
    let (db, file) = (&arena.database.api, stored("array"));
    let images = ImageList::ordinals(3);
    put_test_images(db, "arena", "images.npy", &file, &images, None, None)
        .await
        .expect("put");
    assert!(!has_unseen_pictures(db, arena.challenge).await.expect("ask"));
    let taken = take_unchecked(&arena.database.inference).await;
    assert!(taken.expect("take").is_none());
}

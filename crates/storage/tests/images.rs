//! Uploaded pictures are looked at once, by one worker at a time, and what is found goes when they are replaced.

#[expect(dead_code, reason = "nothing is submitted here")]
mod arena;

use referee_scoring::ImageList;
use referee_storage::challenges::files::{
    Purpose, TestImages, image_problems, put_file, put_test_images,
};
use referee_storage::inference::{finish_check, leave_check, report_picture, take_unchecked};
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
    let put = |purpose: Purpose, file| {
        let (db, key) = (&arena.database.api, purpose.key());
        put_file(db, arena.challenge, purpose, key, "file", file)
    };
    put(Purpose::ValidationImages, &validation)
        .await
        .expect("put");
    put(Purpose::ValidationLabels, &stored("labels"))
        .await
        .expect("put");

    let take = async || take_unchecked(worker).await.expect("take");
    let first = take().await.expect("the oldest");
    assert_eq!(first.object_key, "one");
    let second = take().await.expect("another");
    assert_eq!(second.object_key, "validation");
    assert!(take().await.is_none(), "both are in work; labels are none");
    leave_check(worker, &first).await.expect("leave");
    let again = take().await.expect("left off");
    assert_eq!(again.object_key, "one");

    finish_check(worker, &second, None).await.expect("finish");
    finish_check(worker, &first, Some("2 of 3 are broken"))
        .await
        .expect("finish");
    assert!(take().await.is_none());
    let found = [(Purpose::TestImages, "2 of 3 are broken".to_owned())];
    assert_eq!(arena.problems().await, found);
    // A model's run that meets one picture knows less.
    report_picture(worker, &first, "image 1 is broken")
        .await
        .expect("report");
    assert_eq!(arena.problems().await, found);

    arena.upload("two").await;
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

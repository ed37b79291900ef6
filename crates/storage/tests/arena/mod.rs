//! A challenge and the people who submit to it, in a database of their own.

use chrono::Utc;
use referee_scoring::ClassEntry;
use referee_storage::accounts::Role;
use referee_storage::challenges::challenge;
use referee_storage::challenges::settings::{
    AfterClose, Feedback, OutsideData, Primary, Ranking, Settings, create,
};
use referee_storage::registration::{Admission, NewUser, register};
use referee_storage::submissions::intake::{Intake, NewSubmission, accept};
use referee_storage::submissions::{Entry, Kind};
use referee_storage::testing::TestDatabase;
use serde_json::json;
use uuid::Uuid;

pub struct Arena {
    pub database: TestDatabase,
    pub challenge: Uuid,
}

impl Arena {
    /// An open challenge, whose images competitors may see or not.
    pub async fn new(public_images: bool, per_day: Option<i32>) -> Self {
        let database = TestDatabase::new().await;
        let organizer = new_person(&database, "olga").await;
        let settings = Settings {
            title: "Arena".into(),
            series: None,
            description: String::new(),
            classes: ["a", "b"]
                .map(|name| ClassEntry {
                    name: name.into(),
                    id: None,
                })
                .into(),
            wider_classes: None,
            public_images,
            image_order: None,
            opens: None,
            closes: None,
            after_close: AfterClose::Reject,
            per_day,
            per_week: None,
            total: None,
            upload_mb: 1,
            primary: Primary::Top1,
            public_fraction: 1.0,
            feedback: Feedback::Exact,
            ranking: Ranking::Best,
            final_selections: 1,
            outside_data: OutsideData::Declared,
            reference: None,
        };
        assert!(
            create(&database.api, "arena", &settings, organizer)
                .await
                .expect("create")
        );
        let challenge = challenge(&database.api, "arena")
            .await
            .expect("read")
            .expect("created")
            .id;
        Self {
            database,
            challenge,
        }
    }

    /// Someone who is a team of one.
    pub async fn person(&self, handle: &str) -> Uuid {
        new_person(&self.database, handle).await
    }

    pub async fn submit(&self, submitter: Uuid, kind: Kind) -> Uuid {
        let id = Uuid::now_v7();
        let accepted = accept(
            &self.database.api,
            &NewSubmission {
                id,
                challenge: self.challenge,
                submitter,
                handle: &submitter.to_string(),
                kind,
                entry: Entry::Competitor,
                method: "method",
                description: "",
                paper_url: None,
                code_url: None,
                outside_data: false,
                form: &json!({}),
                object_key: "incoming/file",
                filename: "file",
                bytes: 1,
                sha256: &[0; 32],
                data: &[],
                idempotency_key: None,
                received_at: Utc::now(),
                late: false,
            },
        )
        .await
        .expect("accept");
        assert!(matches!(accepted, Intake::Accepted), "{accepted:?}");
        id
    }
}

async fn new_person(database: &TestDatabase, handle: &str) -> Uuid {
    register(
        &database.api,
        NewUser {
            handle,
            email: None,
            password_hash: "not a hash",
            admission: Admission::Appointed(Role::Competitor),
        },
    )
    .await
    .expect("create")
    .done()
    .expect("a free handle")
    .id
}

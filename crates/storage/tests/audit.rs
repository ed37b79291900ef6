//! The audit trail, from what people do to what somebody who distrusts the server can check.

use referee_storage::accounts::{Role, User, change_user};
use referee_storage::audit::{self, Broken, Check, Head, Line};
use referee_storage::registration::{Admission, NewUser, register};
use referee_storage::testing::TestDatabase;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

async fn person(database: &TestDatabase, handle: &str) -> User {
    let new = NewUser {
        handle,
        email: None,
        password_hash: "none",
        admission: Admission::Appointed(Role::Competitor),
    };
    register(&database.api, new)
        .await
        .expect("insert")
        .done()
        .expect("a free handle")
}

async fn trail(database: &TestDatabase) -> Vec<Line> {
    audit::chain(&database.scorer).await.expect("chain");
    audit::lines(&database.api, 0, 1000).await.expect("read")
}

fn entry(line: &Line) -> Value {
    serde_json::from_str(&line.text).expect("JSON")
}

fn checked(lines: &[Line], head: Option<Head>) -> Result<Head, Broken> {
    let mut check = Check::new(head);
    for line in lines {
        check.follow(line)?;
    }
    check.end()
}

#[tokio::test]
async fn who_did_what_from_where_is_written_down_and_names_stand_beside() {
    let database = TestDatabase::new().await;
    let ada = person(&database, "ada").await;
    let bob = person(&database, "bob").await;
    let from = Some("192.0.2.7".to_owned());
    audit::acting(from, async {
        audit::identify(ada.id);
        audit::identify(bob.id);
        change_user(&database.api, "bob", Some(Role::Organizer), Some(true))
            .await
            .expect("change");
    })
    .await;
    assert_eq!(audit::waiting(&database.api).await.expect("count"), 3);
    let lines = trail(&database).await;
    assert_eq!(audit::waiting(&database.api).await.expect("count"), 0);

    let names = audit::names(&database.api).await.expect("names");
    let id = |name: &str| {
        let (id, _) = names.iter().find(|(_, known)| known == name).expect(name);
        id.to_string()
    };
    let changed = entry(&lines[2]);
    assert_eq!(changed["action"], "account changed");
    assert_eq!(changed["role"], "referee_api");
    assert_eq!(changed["actor"], id("ada"));
    assert_eq!(changed["address"], id("192.0.2.7"));
    assert_eq!(changed["details"]["account"], id("bob"));
    assert_eq!(
        changed["details"]["role"],
        serde_json::json!(["competitor", "organizer"])
    );
    assert_eq!(changed["details"]["disabled"], true);
    assert_eq!(entry(&lines[0])["actor"], Value::Null);
    for line in &lines {
        for personal in [
            "ada",
            "bob",
            "192.0.2.7",
            &ada.id.to_string(),
            &bob.id.to_string(),
        ] {
            assert!(!line.text.contains(personal), "{personal}: {}", line.text);
        }
    }

    audit::forget(&database.api, ada.id).await.expect("forget");
    let names = audit::names(&database.api).await.expect("names");
    assert!(names.iter().all(|(_, name)| name != "ada"), "{names:?}");
    assert_eq!(trail(&database).await, lines, "the trail stays whole");
}

/// What the format is, computed here by hand: a hash goes over the hash before it and the line.
#[tokio::test]
async fn every_line_stands_on_the_one_before() {
    let database = TestDatabase::new().await;
    for handle in ["ada", "bob", "cyd"] {
        person(&database, handle).await;
        audit::chain(&database.scorer).await.expect("chain");
    }
    let lines = trail(&database).await;
    let mut hash = [0_u8; 32].to_vec();
    for (position, line) in (1..).zip(&lines) {
        hash.extend_from_slice(line.text.as_bytes());
        hash = Sha256::digest(&hash).to_vec();
        assert_eq!(
            (line.position, line.hash.to_vec()),
            (position, hash.clone())
        );
    }
    let head = checked(&lines, None).expect("whole");
    assert_eq!(head.to_string().parse(), Ok(head));
    assert_eq!(checked(&lines, Some(head)), Ok(head));
    let exported: Vec<Line> = lines
        .iter()
        .map(|line| Line::imported(&line.exported()).expect("a line"))
        .collect();
    assert_eq!(exported, lines);
}

/// The owner can do anything to the table. Whoever kept a head notices all of it.
#[tokio::test]
async fn what_is_changed_behind_the_trails_back_is_found() {
    let database = TestDatabase::new().await;
    for handle in ["ada", "bob", "cyd", "dan"] {
        person(&database, handle).await;
    }
    let lines = trail(&database).await;
    let head = checked(&lines, None).expect("whole");
    let mut owner = PgConnection::connect(database.owner_url())
        .await
        .expect("connect");
    let mut tampered = async |statement: &str| -> Vec<Line> {
        let mut transaction = owner.begin().await.expect("begin");
        for statement in [
            "ALTER TABLE audit_trail DISABLE TRIGGER refuse_audit_change",
            statement,
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
                .execute(&mut *transaction)
                .await
                .expect(statement);
        }
        let rows: Vec<(i64, String, Vec<u8>)> =
            sqlx::query_as("SELECT position, line, hash FROM audit_trail ORDER BY position")
                .fetch_all(&mut *transaction)
                .await
                .expect("read");
        rows.into_iter()
            .map(|(position, text, hash)| Line {
                position,
                text,
                hash: hash.try_into().expect("32 bytes"),
            })
            .collect()
    };
    let rewritten = "WITH RECURSIVE anew AS (
             SELECT position, line, sha256(decode(repeat('00', 32), 'hex') || convert_to(line, 'UTF8')) AS hash
             FROM changed
             WHERE position = 1
             UNION ALL
             SELECT changed.position, changed.line, sha256(anew.hash || convert_to(changed.line, 'UTF8'))
             FROM anew
             JOIN changed ON changed.position = anew.position + 1
         ), changed AS (
             SELECT position, replace(line, 'competitor', 'organizer') AS line FROM audit_trail
         )
         UPDATE audit_trail SET line = anew.line, hash = anew.hash FROM anew WHERE anew.position = audit_trail.position";
    for (statement, found) in [
        (
            "UPDATE audit_trail SET line = replace(line, 'competitor', 'organizer') WHERE position = 2",
            Broken::Changed(2),
        ),
        (
            "UPDATE audit_trail SET hash = sha256('x') WHERE position = 3",
            Broken::Changed(3),
        ),
        (
            "DELETE FROM audit_trail WHERE position = 2",
            Broken::Gap { after: 1, found: 3 },
        ),
        (
            "DELETE FROM audit_trail WHERE position = 2; UPDATE audit_trail SET position = position - 1 WHERE position > 2",
            Broken::Changed(2),
        ),
        (
            "DELETE FROM audit_trail WHERE position = 4",
            Broken::Short { end: 3, head },
        ),
        // With all hashes made anew only a head that was kept elsewhere tells.
        (rewritten, Broken::OtherHead(head)),
    ] {
        assert_eq!(
            checked(&tampered(statement).await, Some(head)),
            Err(found),
            "{statement}"
        );
    }
}

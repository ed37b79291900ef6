use std::future::pending;

use axum::http::StatusCode;

use super::*;

fn at(account: u128, network: &str) -> Uploader {
    Uploader {
        account: Uuid::from_u128(account),
        network: Some(network.parse().expect("an address")),
        organizes: false,
    }
}

/// A sender that sends `bytes` a second until it is told to stop; the answer is why.
fn trickle(mut slot: UploadSlot, bytes: usize) -> tokio::task::JoinHandle<StatusCode> {
    tokio::spawn(async move {
        loop {
            match slot.wait(sleep(Duration::from_secs(1))).await {
                Ok(()) => slot.arrived(bytes),
                Err(problem) => return problem.status(),
            }
        }
    })
}

/// Twelve accounts hold whatever they can get at a little more than the least pace, and take every slot that they lose again;
/// the outsider is at their address.
#[tokio::test(start_paused = true)]
async fn an_outsider_gets_a_slot_within_five_seconds_of_any_attack() {
    for accounts in [12, 100] {
        let slots = UploadSlots::new(64);
        for attacker in 0..(2 * accounts).max(120) {
            let slots = slots.clone();
            tokio::spawn(async move {
                loop {
                    let who = at(attacker % accounts, "192.0.2.1");
                    if let Ok(slot) = slots.take(who, None).await {
                        let _ = trickle(slot, 5 << 10).await;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        sleep(Duration::from_secs(30)).await;
        for _ in 0..20 {
            let begun = Instant::now();
            let slot = slots
                .take(at(1000, "192.0.2.1"), None)
                .await
                .expect("a slot");
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{accounts} accounts: {:?}",
                begun.elapsed()
            );
            drop(slot);
            sleep(Duration::from_secs(2)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_loses_a_slot_while_there_are_free_ones() {
    let slots = UploadSlots::new(64);
    let mut uploads = Vec::new();
    for account in 0..7 {
        for _ in 0..8 {
            let slot = slots
                .take(at(account, "192.0.2.1"), None)
                .await
                .expect("free");
            uploads.push(trickle(slot, 5 << 10));
        }
    }
    sleep(Duration::from_mins(5)).await;
    assert!(uploads.iter().all(|upload| !upload.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn the_slowest_of_whoever_holds_most_makes_room() {
    let slots = UploadSlots::new(8);
    let mut many = Vec::new();
    for pace in [1 << 20, 5 << 10, 1 << 20, 1 << 20, 1 << 20] {
        let slot = slots.take(at(1, "192.0.2.1"), None).await.expect("free");
        many.push(trickle(slot, pace));
    }
    let few: Vec<_> = [slots.take(at(2, "192.0.2.2"), None).await.expect("free")]
        .into_iter()
        .chain([slots.take(at(3, "192.0.2.3"), None).await.expect("free")])
        .map(|slot| trickle(slot, 6 << 10))
        .collect();
    sleep(Duration::from_secs(10)).await;
    slots
        .take(at(4, "192.0.2.4"), None)
        .await
        .expect("made room");
    assert_eq!(
        many.remove(1).await.expect("ended"),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(many.iter().chain(&few).all(|upload| !upload.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn organizers_have_a_reserve() {
    let slots = UploadSlots::new(8);
    let mut held = Vec::new();
    for account in 0..7 {
        let mut slot = slots
            .take(at(account, "192.0.2.1"), None)
            .await
            .expect("free");
        slot.arrived(1 << 30);
        held.push(slot);
    }
    let refused = slots.take(at(8, "192.0.2.2"), None).await;
    assert!(refused.is_err(), "the last slot is the organizers'");
    let organizer = Uploader {
        organizes: true,
        ..at(9, "192.0.2.1")
    };
    slots.take(organizer, None).await.expect("theirs");
}

#[tokio::test(start_paused = true)]
async fn a_ninth_upload_of_one_person_waits_and_is_told_why() {
    let slots = UploadSlots::new(64);
    let mut held = Vec::new();
    for _ in 0..MOST_EACH {
        held.push(slots.take(at(1, "192.0.2.1"), None).await.expect("free"));
    }
    let refused = slots
        .take(at(1, "192.0.2.1"), None)
        .await
        .err()
        .expect("the ninth");
    assert!(
        refused.detail().starts_with("you have 8 uploads"),
        "{refused:?}"
    );
    let waiting = tokio::spawn({
        let slots = slots.clone();
        async move { slots.take(at(1, "192.0.2.1"), None).await.is_ok() }
    });
    sleep(Duration::from_secs(2)).await;
    held.pop();
    assert!(waiting.await.expect("its turn"));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_leaves_nothing_behind() {
    let slots = UploadSlots::new(8);
    let mut held = Vec::new();
    for account in 0..7 {
        held.push(
            slots
                .take(at(account, "192.0.2.1"), None)
                .await
                .expect("free"),
        );
    }
    for _ in 0..3 {
        let waiting = slots.take(at(8, "192.0.2.2"), None);
        assert!(
            tokio::time::timeout(Duration::from_millis(500), waiting)
                .await
                .is_err()
        );
    }
    assert!(slots.state().waiting.is_empty());
    held.clear();
    assert!(slots.state().held.is_empty());
}

/// 100 bytes need no longer than any form.
#[tokio::test(start_paused = true)]
async fn a_small_form_has_little_time() {
    let slots = UploadSlots::new(8);
    let mut slot = slots
        .take(at(1, "192.0.2.1"), Some(100))
        .await
        .expect("free");
    let begun = Instant::now();
    loop {
        // Fast enough, by its pace alone.
        if let Err(problem) = slot.wait(sleep(Duration::from_secs(1))).await {
            assert_eq!(problem.status(), StatusCode::REQUEST_TIMEOUT);
            break;
        }
        slot.arrived(1 << 20);
    }
    assert!(begun.elapsed() <= ANY_FORM + Duration::from_secs(1));
    let begun = Instant::now();
    let mut silent = slots
        .take(at(1, "192.0.2.1"), Some(100))
        .await
        .expect("free");
    assert!(silent.wait(pending::<()>()).await.is_err());
    assert!(begun.elapsed() <= ANY_FORM);
}

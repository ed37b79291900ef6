//! The documents against JSON written by hand from the contract.

use serde_json::json;

use super::*;

fn smallest_settings() -> serde_json::Value {
    json!({"slug": "fashion-mnist", "title": "Fashion-MNIST", "classes": [{"name": "Trouser"}, {"name": "Bag", "id": "n02774152"}]})
}

#[test]
fn settings_have_the_contracts_defaults() {
    let settings: ChallengeSettings = serde_json::from_value(smallest_settings()).unwrap();
    assert_eq!(settings.primary(), Primary::Top1, "top1 below 50 classes");
    assert_eq!(Primary::for_classes(50), Primary::Top5);
    assert!(settings.test.public_images);
    assert_eq!(settings.limits.upload_mb, 1024);
    assert_eq!(
        (
            settings.limits.per_day,
            settings.leaderboard.final_selections
        ),
        (None, 1)
    );
    assert_eq!(settings.schedule.after_close, AfterClose::Reject);
    assert_eq!(settings.faults(), Vec::<String>::new());
}

#[test]
fn an_unknown_setting_is_named() {
    let mut settings = smallest_settings();
    settings["leaderboard"] = json!({"public_fractoin": 0.3});
    let error = serde_json::from_value::<ChallengeSettings>(settings).unwrap_err();
    assert!(error.to_string().contains("public_fractoin"), "{error}");
}

#[test]
fn every_fault_is_a_sentence_of_its_own() {
    let mut settings = smallest_settings();
    settings["slug"] = json!("Fashion MNIST");
    settings["limits"] = json!({"per_day": 0});
    settings["leaderboard"] = json!({"public_fraction": 1.5});
    settings["schedule"] =
        json!({"opens": "2027-01-01T00:00:00Z", "closes": "2026-01-01T00:00:00Z"});
    let settings: ChallengeSettings = serde_json::from_value(settings).unwrap();
    assert_eq!(settings.faults().len(), 4, "{:?}", settings.faults());
}

#[test]
fn a_patch_tells_null_from_absent() {
    let patch: SubmissionPatch = serde_json::from_value(json!({"hidden": null})).unwrap();
    assert_eq!(patch.hidden, Some(None));
    assert_eq!(
        serde_json::to_value(&patch).unwrap(),
        json!({"hidden": null})
    );
    let patch: SubmissionPatch = serde_json::from_value(
        json!({"hidden": {"reason": "trained on the test set"}, "selected": true}),
    )
    .unwrap();
    assert_eq!(
        patch.hidden,
        Some(Some(Hidden {
            reason: "trained on the test set".into()
        }))
    );
    let patch: ChallengePatch =
        serde_json::from_value(json!({"schedule": {"closes": null}, "limits": {"per_day": 3}}))
            .unwrap();
    assert_eq!(
        patch.schedule.unwrap(),
        SchedulePatch {
            closes: Some(None),
            ..SchedulePatch::default()
        }
    );
    assert_eq!(
        patch.limits.unwrap(),
        LimitsPatch {
            per_day: Some(Some(3)),
            ..LimitsPatch::default()
        }
    );
}

#[test]
fn a_submission_reads_as_the_contract_writes_it() {
    let document = json!({
        "id": "0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d", "challenge": "fashion-mnist", "team": "ada", "submitter": "ada",
        "kind": "predictions", "method": "k nearest neighbours", "description": "k = 5", "entry": "competitor", "status": "scored",
        "progress": null, "problem": null, "notices": [{"code": "boxes-ignored", "detail": "boxes were ignored"}],
        "scores": {"public": {"images": 3000, "label_version": 1, "top1_error": 0.1, "top5_error": 0.01,
            "top1_interval": [0.09, 0.11], "top5_interval": [0.007, 0.014]}, "private": null},
        "model": null, "preprocess": null, "outside_data": false, "paper_url": null, "code_url": null, "selected": false,
        "late": false, "hidden": null, "verified": false, "created_at": "2026-01-02T03:04:05Z", "scored_at": "2026-01-02T03:04:06Z",
        "revision": 4
    });
    let submission: Submission = serde_json::from_value(document.clone()).unwrap();
    assert!(submission.status.is_final());
    assert_eq!(serde_json::to_value(&submission).unwrap(), document);
}

#[test]
fn a_problem_without_places_has_no_errors_array() {
    let problem: Problem = serde_json::from_value(
        json!({"title": "Conflict", "status": 409, "detail": "slug `x` is taken"}),
    )
    .unwrap();
    assert_eq!(problem.r#type, "about:blank");
    assert!(
        serde_json::to_value(&problem)
            .unwrap()
            .get("errors")
            .is_none()
    );
    let place = ProblemLine {
        line: Some(100),
        detail: "class 0".into(),
        ..ProblemLine::default()
    };
    assert_eq!(place.to_string(), "line 100: class 0");
}

#[test]
fn words_are_the_same_in_json_and_in_rust() {
    for status in [
        Status::Queued,
        Status::Running,
        Status::Scored,
        Status::Rejected,
        Status::Failed,
        Status::Withdrawn,
    ] {
        assert_eq!(
            serde_json::to_value(status).unwrap(),
            json!(status.as_str())
        );
        assert_eq!(status.as_str().parse(), Ok(status));
    }
    assert_eq!(
        "top2".parse::<Primary>(),
        Err("`top2` is none of top1, top5".into())
    );
}

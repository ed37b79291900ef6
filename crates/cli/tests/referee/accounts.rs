use std::os::unix::fs::PermissionsExt as _;

use crate::person::{Person, Run};
use crate::server::shared;

#[test]
fn who_registers_is_signed_in_and_the_token_is_theirs_alone() {
    let ada = Person::new(&shared().address, "ada-accounts");
    insta::assert_snapshot!(ada.run(["register", "ada-accounts", "--email", "ada@example.org"]).done(), @"Welcome, ada-accounts: your account (competitor) is open and you are signed in.");
    let token = ada.run(["token"]).done();
    let kept = ada.home().join(".config/referee/config.toml");
    assert!(
        String::from_utf8(ada.read(".config/referee/config.toml"))
            .expect("text")
            .contains(token.trim())
    );
    let mode = std::fs::metadata(kept)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let namesake = Person::new(&shared().address, "Ada-Accounts");
    insta::assert_snapshot!(namesake.run(["register", "Ada-Accounts"]).refused(), @"referee: the handle Ada-Accounts is taken; choose another");
}

#[test]
fn who_logs_in_elsewhere_needs_the_password() {
    let at_home = Person::register(&shared().address, "grace-accounts");
    let elsewhere = Person::new(&shared().address, "grace-accounts");
    insta::assert_snapshot!(elsewhere.run(["submissions"]).refused().replace(&shared().address, "SERVER"), @"referee: you are not signed in at SERVER; run `referee login HANDLE` or `referee register HANDLE`, or set REFEREE_TOKEN");
    let wrong = Run::of(
        elsewhere
            .command()
            .args(["login", "grace-accounts"])
            .env("REFEREE_PASSWORD", "a guess of mine"),
    );
    insta::assert_snapshot!(wrong.refused(), @"referee: the handle or the password is wrong");
    let right = elsewhere.run(["login", "grace-accounts"]).done();
    insta::assert_snapshot!(right.replace(&shared().address, "SERVER"), @"You are signed in at SERVER as grace-accounts.");
    assert_ne!(
        elsewhere.run(["token"]).done(),
        at_home.run(["token"]).done()
    );
}

#[test]
fn another_password_from_the_operator_signs_an_account_out_everywhere() {
    let eve = Person::register(&shared().address, "eve-accounts");
    let mut admin = eve.command();
    admin
        .args(["admin", "password", "eve-accounts", "--data"])
        .arg(&shared().data)
        .env("REFEREE_PASSWORD", "another password");
    insta::assert_snapshot!(Run::of(&mut admin).done(), @"eve-accounts has another password; their sessions have ended and their tokens are deleted.");
    insta::assert_snapshot!(eve.run(["submissions"]).refused(), @"referee: this token is not known here; get another with `referee login HANDLE`");
}

#[test]
fn a_token_works_until_it_is_deleted() {
    let ada = Person::register(&shared().address, "ada-tokens");
    let token = ada.run(["token", "create", "training cluster"]).done();
    let listed = ada.run(["token", "list", "--json"]).json();
    let made = listed
        .as_array()
        .expect("a list")
        .iter()
        .find(|made| made["name"] == "training cluster");
    let id = made.expect("the new one")["id"].as_str().expect("an id");
    assert!(
        ada.run(["token", "list"])
            .done()
            .contains("training cluster")
    );

    let cluster = Person::new(&shared().address, "cluster");
    let with_token = |arguments: &[&str]| {
        Run::of(
            cluster
                .command()
                .args(arguments)
                .env("REFEREE_TOKEN", token.trim()),
        )
    };
    with_token(&["submissions"]).done();
    insta::assert_snapshot!(ada.run(["token", "delete", id]).done(), @"The token works no longer.");
    insta::assert_snapshot!(with_token(&["submissions"]).refused(), @"referee: this token is not known here; get another with `referee login HANDLE`");
}

#[test]
fn a_token_is_not_shown_to_another_server() {
    let ada = Person::register(&shared().address, "ada-elsewhere");
    let other = ada
        .run(["token", "--server", "http://127.0.0.1:9"])
        .refused();
    insta::assert_snapshot!(other, @"referee: no token is stored; run `referee login HANDLE` first");
    let unreachable = ada
        .run(["challenge", "list", "--server", "http://127.0.0.1:9"])
        .refused();
    insta::assert_snapshot!(unreachable, @"referee: cannot reach http://127.0.0.1:9: Connection refused (os error 111); check that the server runs and that REFEREE_SERVER names it");
}

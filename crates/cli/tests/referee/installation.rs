//! What a server does with a store that is not its own, or not there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::challenge::{Directory, predictions};
use crate::person::{Person, REFEREE, Run};
use crate::server::{Server, data_dir};

/// More than a year: older than anything that an upload under way could be.
fn old_file(path: &Path) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("make it");
    fs::write(path, "years of work").expect("write");
    let file = File::options().write(true).open(path).expect("open");
    let age = Duration::from_hours(24 * 400);
    file.set_modified(SystemTime::now() - age).expect("age it");
}

/// A server with one challenge, on files that are all old.
fn with_a_challenge(data: &Path) -> (Server, Person) {
    let server = Server::start(data);
    let organizer = Person::register(&server.address, "organizer");
    let directory = Directory::new("clothes", "");
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    for file in objects(data) {
        let age = Duration::from_hours(24 * 400);
        let file = File::options().write(true).open(file).expect("open");
        file.set_modified(SystemTime::now() - age).expect("age it");
    }
    (server, organizer)
}

/// The stored files, without the store's mark.
fn objects(data: &Path) -> Vec<PathBuf> {
    let stored = fs::read_dir(data.join("objects/incoming")).expect("stored files");
    let mut found: Vec<_> = stored.flatten().map(|file| file.path()).collect();
    found.sort();
    found
}

fn serve(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(REFEREE);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .env_remove("REFEREE_TOKEN");
    command
}

fn refused(command: &mut Command) -> String {
    let run = Run::of(command);
    assert_eq!(run.code, 1, "{}", run.stderr);
    run.stderr
}

#[test]
fn a_second_installation_on_the_same_directory_is_refused_and_deletes_nothing() {
    let (first, second) = (data_dir(), data_dir());
    let (server, organizer) = with_a_challenge(first.path());
    let strangers = first.path().join("objects/thesis.tex");
    old_file(&strangers);
    let stored = objects(first.path());
    assert!(!stored.is_empty());

    let shared = first.path().join("objects");
    let said = refused(serve(second.path(), &[]).env("REFEREE_OBJECTS", &shared));
    assert!(said.contains("belongs to another installation"), "{said}");
    assert!(said.contains(&shared.display().to_string()), "{said}");
    assert_eq!(objects(first.path()), stored);
    assert!(strangers.exists());

    organizer.write("predictions.txt", predictions(10));
    assert_eq!(
        organizer.submit("predictions.txt", "clothes")["status"],
        "scored"
    );
    assert!(server.stop());
    // With a directory of its own it starts, and starts again.
    assert!(Server::start(second.path()).stop());
    assert!(Server::start(second.path()).stop());
}

#[test]
fn a_start_removes_no_strangers_files_and_sweeps_nothing_in_its_first_hour() {
    let data = data_dir();
    assert!(Server::start(data.path()).stop());
    let orphan = format!("incoming/{}", uuid::Uuid::new_v4());
    let half = format!("incoming/{}#1", uuid::Uuid::new_v4());
    let kept = ["photo#1", "thesis.tex", "incoming/notes.txt", &orphan];
    for name in kept.into_iter().chain([half.as_str()]) {
        old_file(&data.path().join("objects").join(name));
    }
    let (server, organizer) = with_a_challenge(data.path());
    organizer.write("predictions.txt", predictions(10));
    assert_eq!(
        organizer.submit("predictions.txt", "clothes")["status"],
        "scored"
    );
    for name in kept {
        assert!(data.path().join("objects").join(name).exists(), "{name}");
    }
    let half = data.path().join("objects").join(half);
    assert!(!half.exists(), "what a killed server had begun goes");
    assert!(server.stop());
}

#[test]
fn a_store_that_is_away_is_waited_for_by_nobody_and_not_made_anew() {
    let data = data_dir();
    let (server, _) = with_a_challenge(data.path());
    let stored = objects(data.path());
    assert!(server.stop());
    let (objects_at, away) = (data.path().join("objects"), data.path().join("away"));
    fs::rename(&objects_at, &away).expect("unmount");
    let said = refused(&mut serve(data.path(), &[]));
    assert!(said.contains("is missing: mount its disk"), "{said}");
    assert!(!objects_at.exists());
    fs::create_dir(&objects_at).expect("a mount point");
    let said = refused(&mut serve(data.path(), &[]));
    assert!(said.contains("its disk is not mounted"), "{said}");
    assert_eq!(fs::read_dir(&objects_at).expect("empty").count(), 0);
    fs::remove_dir(&objects_at).expect("remove it");
    fs::rename(&away, &objects_at).expect("mount");
    assert!(Server::start(data.path()).stop());
    assert_eq!(objects(data.path()), stored);
}

#[test]
fn objects_that_are_restored_before_the_dump_are_kept_until_it_is_loaded() {
    let (old, new) = (data_dir(), data_dir());
    let (server, _) = with_a_challenge(old.path());
    let dump = old.path().join("dump.sql");
    database(
        old.path(),
        "pg_dump",
        &["--clean", "--if-exists", "--file"],
        &dump,
    );
    assert!(server.stop());
    let stored = objects(old.path()).len();
    let restored = new.path().join("objects");
    fs::rename(old.path().join("objects"), &restored).expect("restore the objects");

    let said = refused(&mut serve(new.path(), &[]));
    assert!(said.contains("when the dump is loaded"), "{said}");
    assert_eq!(objects(new.path()).len(), stored);

    let aside = new.path().join("aside");
    fs::rename(&restored, &aside).expect("move them aside");
    let mut only_api = serve(new.path(), &["--roles", "api"]);
    only_api.env_clear().env("PATH", "/usr/bin:/bin");
    let (mut process, _) = crate::server::until_ready(only_api);
    database(
        new.path(),
        "psql",
        &["--quiet", "--set=ON_ERROR_STOP=1", "--file"],
        &dump,
    );
    crate::server::signal(&process, rustix::process::Signal::TERM);
    assert!(process.wait().expect("it ends").success());
    fs::remove_dir_all(&restored).expect("the new database's, which is gone");
    fs::rename(&aside, &restored).expect("put them back");
    let server = Server::start(new.path());
    let visitor = Person::new(&server.address, "visitor");
    let listed = visitor.run(["challenge", "list", "--json"]);
    assert!(listed.done().contains("clothes"));
    assert_eq!(objects(new.path()).len(), stored);
    assert!(server.stop());
}

/// Runs one of PostgreSQL's programs on the private cluster, as its owner.
fn database(data: &Path, program: &str, arguments: &[&str], file: &Path) {
    let mut url = Command::new(REFEREE);
    let url = Run::of(url.args(["database-url", "owner", "--data"]).arg(data)).done();
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .arg(url.trim())
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
}

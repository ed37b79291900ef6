//! What a process that runs a model cannot do, tried by one that is locked in as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::json;

use super::arena::REFEREE;

#[test]
fn a_locked_in_process_reaches_nothing() {
    reaches_nothing(false);
}

/// The lock of a process that talks to a GPU, which this test needs none of.
#[test]
fn a_locked_in_process_with_a_gpu_reaches_nothing() {
    reaches_nothing(true);
}

fn reaches_nothing(gpu: bool) {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("database");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let password = directory.path().join("password");
    std::fs::write(&password, "secret").expect("write");
    // Left open for every program that this one starts, as a careless shell does.
    let mut inherited = File::create(directory.path().join("inherited")).expect("create");
    inherited.write_all(b"labels").expect("write");
    fcntl_setfd(inherited.as_fd(), FdFlags::empty()).expect("inheritable");

    let attempts = json!({
        "sockets": [socket],
        "files": [password, "/etc/passwd", "/proc/self/environ"],
        "addresses": [tcp.local_addr().expect("an address")],
        "gpu": gpu,
    });
    let output = Command::new(REFEREE)
        .args(["infer-child", "--probe", &attempts.to_string()])
        .env_clear()
        .output()
        .expect("run");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let mut found: BTreeMap<String, String> =
        serde_json::from_slice(&output.stdout).expect("what became of each attempt");

    let mut take = |what: &str| found.remove(what).unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(take("environment"), "");
    let open = take("open files");
    assert!(!open.contains("inherited"), "{open}");
    let user = take("user");
    if rustix::process::geteuid().is_root() {
        assert_eq!(user, "65534", "nobody");
    }
    assert!(found.len() > 25, "{found:?}");
    for (attempt, became) in found {
        assert!(became.contains("os error"), "{attempt}: {became}");
    }
}

/// By the signal that says so: a plain kill would look as if somebody else had ended it, and the model would be run again.
#[test]
fn a_process_that_computes_for_too_long_is_told_why_it_ends() {
    let attempts = json!({"sockets": [], "files": [], "addresses": [], "cpu_seconds": 1});
    let output = Command::new(REFEREE)
        .args(["infer-child", "--probe", &attempts.to_string()])
        .output()
        .expect("run");
    assert_eq!(output.status.signal(), Some(libc::SIGXCPU), "{output:?}");
}

/// The same attempts from a process that is not locked in go through, so that the test above tests something.
#[test]
fn the_same_attempts_go_through_outside() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("database");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    std::os::unix::net::UnixStream::connect(&socket).expect("connect");
    std::net::TcpStream::connect(tcp.local_addr().expect("an address")).expect("connect");
    std::fs::read("/etc/passwd").expect("read");
}

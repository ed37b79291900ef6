use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::challenge::{Directory, predictions};
use crate::person::{Person, REFEREE};
use crate::server::{Server, data_dir, eventually};

const SUBMISSIONS: usize = 12;

/// A server with an open challenge in it, and a competitor.
fn set_up(data: &Path) -> (Server, Person) {
    let server = Server::start(data);
    let organizer = Person::register(&server.address, "organizer");
    let directory = Directory::new("clothes", "");
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    let ada = Person::register(&server.address, "ada");
    (server, ada)
}

#[test]
fn what_was_accepted_before_a_kill_is_scored_after_it() {
    let data = data_dir();
    let (server, mut ada) = set_up(data.path());
    for wrong in 0..SUBMISSIONS {
        ada.write(&format!("{wrong}.txt"), predictions(wrong));
    }
    let submit = |wrong: usize| {
        let file = format!("{wrong}.txt");
        let arguments = [
            "submit",
            &file,
            "--challenge",
            "clothes",
            "--no-wait",
            "--json",
        ];
        let received = ada.run(arguments).json();
        (wrong, received["id"].as_str().expect("an id").to_owned())
    };
    let accepted: Vec<(usize, String)> = std::thread::scope(|scope| {
        let submitting: Vec<_> = (0..SUBMISSIONS)
            .map(|wrong| {
                scope.spawn({
                    let submit = &submit;
                    move || submit(wrong)
                })
            })
            .collect();
        submitting
            .into_iter()
            .map(|submitted| submitted.join().expect("it is accepted"))
            .collect()
    });
    server.kill();

    let server = Server::start(data.path());
    ada.follow(&server.address);
    for (wrong, id) in accepted {
        let scored = eventually("what was accepted is scored", || {
            let shown = ada.run(["submissions", "show", &id, "--json"]).json();
            (shown["status"] == "scored").then_some(shown)
        });
        let expected = format!("0.{wrong:02}");
        let error = scored["scores"]["public"]["top1_error"].as_f64();
        assert_eq!(error, expected.parse().ok(), "{scored}");
    }
    let listed = ada.run(["submissions", "clothes", "--json"]).json();
    assert_eq!(
        listed.as_array().expect("a list").len(),
        SUBMISSIONS,
        "none twice"
    );
    assert!(server.stop(), "it ends well when it is asked to");
}

#[test]
fn a_kill_in_the_middle_of_an_upload_leaves_nothing() {
    let data = data_dir();
    let (server, mut ada) = set_up(data.path());
    let stored = files(&data.path().join("objects"));
    let token = ada.run(["token"]).done();

    // More than the 8 MiB from which on parts are written, of a body that says it is longer.
    let address = server.address.trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).expect("connect");
    let head = format!(
        "POST /api/v1/challenges/clothes/submissions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: 100000000\r\n\r\n\
         --cut\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\npredictions\r\n\
         --cut\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\nhalf a file\r\n\
         --cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"half.txt\"\r\n\r\n",
        token.trim()
    );
    connection
        .write_all(head.as_bytes())
        .expect("send the head");
    connection
        .write_all("1\n".repeat(10 << 20).as_bytes())
        .expect("send a part");
    eventually("a part is on the disk", || {
        (files(&data.path().join("objects")).len() > stored.len()).then_some(())
    });
    server.kill();
    drop(connection);

    let server = Server::start(data.path());
    ada.follow(&server.address);
    assert_eq!(
        ada.run(["submissions", "clothes", "--json"]).json(),
        serde_json::json!([])
    );
    eventually("what was half there is removed", || {
        (files(&data.path().join("objects")) == stored).then_some(())
    });
    ada.write("whole.txt", predictions(5));
    assert_eq!(ada.submit("whole.txt", "clothes")["status"], "scored");
}

/// Longer than anything else that a server does before it ends.
#[test]
fn an_upload_under_way_comes_to_its_end_though_the_server_is_told_to_stop() {
    let data = data_dir();
    let (server, mut ada) = set_up(data.path());
    let token = ada.run(["token"]).done();
    let address = server.address.trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).expect("connect");
    let form = format!(
        "--slow\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\npredictions\r\n\
         --slow\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\na slow line\r\n\
         --slow\r\nContent-Disposition: form-data; name=\"file\"; filename=\"slow.txt\"\r\n\r\n{}\r\n--slow--\r\n",
        predictions(5)
    );
    let head = format!(
        "POST /api/v1/challenges/clothes/submissions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=slow\r\nContent-Length: {}\r\n\r\n",
        token.trim(),
        form.len()
    );
    connection
        .write_all(head.as_bytes())
        .expect("send the head");
    let stopping = std::thread::spawn(move || server.stop());
    // Over twelve seconds, in sixty pieces.
    for piece in form.as_bytes().chunks(form.len().div_ceil(60)) {
        connection.write_all(piece).expect("send a piece");
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut connection, &mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(stopping.join().expect("it ends"), "and ends well");

    let server = Server::start(data.path());
    ada.follow(&server.address);
    eventually("it is scored", || {
        let listed = ada.run(["submissions", "clothes", "--json"]).json();
        (listed[0]["status"] == "scored").then_some(())
    });
}

#[test]
fn an_address_that_a_dying_server_still_holds_is_waited_for() {
    let data = data_dir();
    let held = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = held.local_addr().expect("its address");
    let server = std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            drop(held);
        });
        Server::start_at(data.path(), &address.to_string())
    });
    assert_eq!(server.address, format!("http://{address}"));

    let second = Command::new(REFEREE)
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(data.path().join("another"))
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!(
            "cannot listen on {address}; choose another address"
        )),
        "{said}"
    );
    assert!(server.stop());
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

//! Connections of a listening server, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::server::Server;

const HALF_A_HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: referee.exa";

#[tokio::test]
async fn half_a_head_does_not_stay_open() {
    let server = Server::new().await;
    let (address, stop, serving) = server.listen().await;
    let mut connection = TcpStream::connect(address).await.expect("connects");
    connection.write_all(HALF_A_HEAD).await.expect("sends");
    // From here on an hour passes as soon as nobody has anything else to do.
    tokio::time::pause();
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_hours(1), connection.read_to_end(&mut answer));
    closed.await.expect("within the hour").expect("closed");
    tokio::time::resume();
    stop.cancel();
    serving.await.expect("no panic");
}

#[tokio::test]
async fn half_a_json_body_does_not_stay_open() {
    let server = Server::new().await;
    let (address, stop, serving) = server.listen().await;
    let mut connection = TcpStream::connect(address).await.expect("connects");
    let head = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n";
    connection.write_all(head.as_bytes()).await.expect("sends");
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(b"{").await.expect("sends");
    // As above.
    tokio::time::pause();
    let mut answer = String::new();
    let closed = timeout(
        Duration::from_hours(1),
        connection.read_to_string(&mut answer),
    );
    closed.await.expect("within the hour").expect("closed");
    tokio::time::resume();
    // With the clock stopped, the database may be held to be away before.
    let too_slow = answer.starts_with("HTTP/1.1 408 ") && answer.contains("within 30 s");
    assert!(too_slow || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    stop.cancel();
    serving.await.expect("no panic");
}

#[tokio::test]
async fn half_a_head_does_not_delay_the_stop() {
    let server = Server::new().await;
    let (address, stop, serving) = server.listen().await;
    let mut connection = TcpStream::connect(address).await.expect("connects");
    connection.write_all(HALF_A_HEAD).await.expect("sends");
    sleep(Duration::from_millis(300)).await;
    stop.cancel();
    // A head may take a minute; what is left of that is not waited for.
    let stopped = timeout(Duration::from_secs(30), serving).await;
    stopped.expect("soon").expect("no panic");
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_stop() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let (address, stop, mut serving) = server.listen().await;
    let mut connection = TcpStream::connect(address).await.expect("connects");
    let head = format!(
        "PUT /api/v1/challenges/tiny/files/key HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {admin}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("sends");
    // It says so when it begins to read the file.
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(b"01234").await.expect("sends");
    stop.cancel();
    let waits = timeout(Duration::from_secs(3), &mut serving).await;
    assert!(waits.is_err(), "the upload is not finished");
    connection.write_all(b"56789").await.expect("sends");
    let mut answer = String::new();
    connection
        .read_to_string(&mut answer)
        .await
        .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    serving.await.expect("no panic");
}

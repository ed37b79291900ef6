//! The private cluster, with the system's real PostgreSQL: as root (then it runs as `postgres`) or
//! as any other user.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use referee_storage::cluster::{ClusterError, PrivateCluster, recorded_urls};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

/// A data directory that the user `postgres` can reach.
fn data_dir() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o711);
    directory
}

fn set_mode(directory: &Path, mode: u32) {
    fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
}

async fn start(data_dir: &Path) -> PrivateCluster {
    PrivateCluster::start(data_dir).await.unwrap()
}

async fn refusal(data_dir: &Path) -> ClusterError {
    match PrivateCluster::start(data_dir).await {
        Ok(_) => panic!("a cluster started in {}", data_dir.display()),
        Err(error) => error,
    }
}

/// Write a row that must survive what comes next.
async fn leave_a_mark(cluster: &PrivateCluster) {
    let mut owner = PgConnection::connect(&cluster.urls().owner).await.unwrap();
    owner
        .execute("CREATE TABLE marks AS SELECT 4711 AS mark")
        .await
        .unwrap();
}

async fn mark(cluster: &PrivateCluster) -> i32 {
    let mut owner = PgConnection::connect(&cluster.urls().owner).await.unwrap();
    sqlx::query_scalar("SELECT mark FROM marks")
        .fetch_one(&mut owner)
        .await
        .unwrap()
}

fn postmaster(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

fn is_running(pid: Pid) -> bool {
    Path::new("/proc")
        .join(pid.as_raw_nonzero().to_string())
        .join("cwd")
        .read_link()
        .is_ok()
}

#[tokio::test]
async fn a_new_cluster_keeps_its_data_over_a_restart() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    assert!(cluster.is_new());
    leave_a_mark(&cluster).await;
    let first = cluster.urls().clone();
    assert_eq!(recorded_urls(data.path()).unwrap(), first);
    let pid = postmaster(data.path());
    cluster.stop().await.unwrap();
    assert!(!is_running(pid), "stop waits until PostgreSQL has ended");

    let cluster = start(data.path()).await;
    assert!(!cluster.is_new());
    assert_eq!(*cluster.urls(), first);
    assert_eq!(mark(&cluster).await, 4711);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_database_is_set_up_as_documented() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    let mut owner = PgConnection::connect(&cluster.urls().owner).await.unwrap();
    let mut shows = Vec::new();
    for setting in [
        "listen_addresses",
        "fsync",
        "server_encoding",
        "lc_collate",
        "password_encryption",
        "log_error_verbosity",
        "timezone",
    ] {
        let value: String = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SHOW {setting}")))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        shows.push(value);
    }
    assert_eq!(
        shows,
        ["", "on", "UTF8", "C.UTF-8", "scram-sha-256", "terse", "UTC"]
    );

    for (name, mode) in [
        ("postgres", 0o700),
        ("socket", 0o700),
        ("secrets", 0o700),
        ("secrets/owner", 0o600),
        ("secrets/scorer", 0o600),
        ("postgres.log", 0o600),
    ] {
        let metadata = fs::metadata(data.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    let mut left: Vec<_> = fs::read_dir(data.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["lock", "postgres", "postgres.log", "secrets", "socket"]
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    let urls = cluster.urls();
    let (start, end) = (urls.owner.find(':').unwrap(), urls.owner.find('@').unwrap());
    let colon = urls.owner[start + 1..].find(':').unwrap() + start + 1;
    let guess = format!("{}:guess{}", &urls.owner[..colon], &urls.owner[end..]);
    let error = PgConnection::connect(&guess).await.unwrap_err();
    // invalid_password, PostgreSQL's appendix A
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "28P01");
    assert!(!format!("{urls:?}").contains(&urls.owner[colon + 1..end]));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn psql_takes_the_url() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    let output = Command::new("psql")
        .arg(&cluster.urls().owner)
        .args(["-Atc", "SELECT current_user, current_database()"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "referee_owner|referee\n"
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_server_is_refused() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    let sentence = refusal(data.path()).await.to_string();
    assert!(sentence.contains(&format!("(process {})", std::process::id())));
    assert!(
        sentence.contains("a data directory of its own"),
        "{sentence}"
    );
    leave_a_mark(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postgres_is_noticed_and_recovers() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    leave_a_mark(&cluster).await;
    let exited = cluster.exited();
    kill_process(postmaster(data.path()), Signal::KILL).unwrap();
    let sentence = tokio::time::timeout(Duration::from_mins(1), exited)
        .await
        .expect("the end is noticed")
        .to_string();
    assert!(sentence.contains("signal: 9"), "{sentence}");
    drop(cluster);

    let cluster = start(data.path()).await;
    assert_eq!(mark(&cluster).await, 4711);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_orphaned_query_does_not_stop_the_recovery() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    leave_a_mark(&cluster).await;
    let mut busy = PgConnection::connect(&cluster.urls().owner).await.unwrap();
    let query = tokio::spawn(async move {
        // Computes, so that it does not notice the end of its parent as a waiting one would.
        busy.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
            .await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    kill_process(postmaster(data.path()), Signal::KILL).unwrap();
    cluster.exited().await;
    drop(cluster);

    let cluster = start(data.path()).await;
    assert_eq!(mark(&cluster).await, 4711);
    assert!(query.await.unwrap().is_err());
    cluster.stop().await.unwrap();
}

/// The server that [`a_killed_server_leaves_nothing_in_the_way`] kills.
#[tokio::test]
#[ignore = "runs in a process of its own, started by another test"]
async fn server_to_be_killed() {
    let data = PathBuf::from(std::env::var_os("CLUSTER_TEST_DATA").unwrap());
    let _cluster = start(&data).await;
    println!("\nstarted");
    std::future::pending::<()>().await;
}

fn spawn_server_to_be_killed(data: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server_to_be_killed", "--ignored", "--nocapture"])
        .env("CLUSTER_TEST_DATA", data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn start_server_to_be_killed(data: &Path) -> Child {
    let mut server = spawn_server_to_be_killed(data);
    let output = BufReader::new(server.stdout.as_mut().unwrap());
    assert!(
        output.lines().any(|line| line.unwrap() == "started"),
        "the server ended early"
    );
    server
}

#[tokio::test]
async fn a_killed_server_leaves_nothing_in_the_way() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    leave_a_mark(&cluster).await;
    cluster.stop().await.unwrap();

    let mut server = start_server_to_be_killed(data.path());
    let pid = postmaster(data.path());
    assert!(is_running(pid));
    server.kill().unwrap();
    server.wait().unwrap();

    let cluster = start(data.path()).await;
    assert!(!is_running(pid));
    assert_eq!(mark(&cluster).await, 4711);
    cluster.stop().await.unwrap();
}

/// Where there is no parent-death signal, PostgreSQL outlives its server.
#[tokio::test]
async fn a_leftover_postgres_is_stopped() {
    let data = data_dir();
    let cluster = start(data.path()).await;
    leave_a_mark(&cluster).await;
    let running = postmaster(data.path());
    let program = fs::read_link(format!("/proc/{}/exe", running.as_raw_nonzero())).unwrap();
    cluster.stop().await.unwrap();

    let data_path = data.path().canonicalize().unwrap();
    let mut leftover = start_postgres(&program, &data_path);
    while !fs::read_to_string(data_path.join("postgres/postmaster.pid"))
        .is_ok_and(|state| state.contains("ready"))
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reaper = std::thread::spawn(move || leftover.wait().unwrap());
    let cluster = start(data.path()).await;
    assert!(reaper.join().unwrap().success(), "an orderly shutdown");
    assert_eq!(mark(&cluster).await, 4711);
    cluster.stop().await.unwrap();
}

fn start_postgres(program: &Path, data_dir: &Path) -> Child {
    use std::os::unix::process::CommandExt;
    let cluster = data_dir.join("postgres");
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        let owner = fs::metadata(&cluster).unwrap();
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
        .arg("-D")
        .arg(&cluster)
        .args(["-c", "listen_addresses=", "-c"])
        .arg(format!(
            "unix_socket_directories={}",
            data_dir.join("socket").display()
        ))
        .current_dir(&cluster)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// As after a crash in a container, where the same few process ids come back.
#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_not_believed() {
    let data = data_dir();
    start(data.path()).await.stop().await.unwrap();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    let pid_file = data.path().join("postgres/postmaster.pid");
    fs::write(&pid_file, format!("{}\n", stranger.id())).unwrap();
    let lock = data.path().join("socket/.s.PGSQL.5432.lock");
    fs::write(&lock, format!("{}\n", stranger.id())).unwrap();

    start(data.path()).await.stop().await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "left alone");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_server_killed_in_its_first_start_can_start_again() {
    let before_initdb = |data: &Path| data.join("secrets/inference").exists();
    let in_initdb = |data: &Path| data.join("postgres.new/postmaster.pid").exists();
    let making_the_database = |data: &Path| {
        !data.join("postgres.password").exists() && data.join("postgres.new/base/1").exists()
    };
    let moments: [fn(&Path) -> bool; 3] = [before_initdb, in_initdb, making_the_database];
    for has_come in moments {
        let data = data_dir();
        let mut server = spawn_server_to_be_killed(data.path());
        while !has_come(data.path()) {
            assert!(server.try_wait().unwrap().is_none(), "it ended early");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill().unwrap();
        server.wait().unwrap();

        let cluster = start(data.path()).await;
        assert!(cluster.is_new(), "killed before the end of the creation");
        leave_a_mark(&cluster).await;
        assert!(!data.path().join("postgres.new").exists());
        assert!(!data.path().join("postgres.password").exists());
        cluster.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_works() {
    let outer = data_dir();
    let data = outer.path().join("d".repeat(60)).join("ü, \"x\"".repeat(8));
    let cluster = start(&data).await;
    leave_a_mark(&cluster).await;
    let recorded = fs::read_to_string(data.join("socket-path")).unwrap();
    let socket = PathBuf::from(recorded.trim_end());
    let metadata = fs::metadata(&socket).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    assert_eq!(recorded_urls(&data).unwrap(), *cluster.urls());
    cluster.stop().await.unwrap();

    let cluster = start(&data).await;
    assert_eq!(mark(&cluster).await, 4711);
    let again = fs::read_to_string(data.join("socket-path")).unwrap();
    assert_eq!(again, recorded, "the directory is used again");
    cluster.stop().await.unwrap();
    fs::remove_dir_all(socket).unwrap();
}

#[tokio::test]
async fn a_path_that_needs_quoting_works() {
    let outer = data_dir();
    let data = outer.path().join("a, \"b\" ü");
    let cluster = start(&data).await;
    leave_a_mark(&cluster).await;
    assert_eq!(mark(&cluster).await, 4711);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_version_is_named() {
    let data = data_dir();
    start(data.path()).await.stop().await.unwrap();
    fs::write(data.path().join("postgres/PG_VERSION"), "9\n").unwrap();
    let sentence = refusal(data.path()).await.to_string();
    assert!(sentence.contains("`postgresql-9`"), "{sentence}");
}

#[tokio::test]
async fn why_postgres_did_not_start_is_said() {
    let data = data_dir();
    start(data.path()).await.stop().await.unwrap();
    let settings = data.path().join("postgres/postgresql.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text + "\nmax_connections = plenty\n").unwrap();
    let sentence = refusal(data.path()).await.to_string();
    assert!(
        sentence.contains("FATAL") && sentence.contains("postgres.log"),
        "{sentence}"
    );
}

#[tokio::test]
async fn root_is_told_where_postgres_cannot_go() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    set_mode(closed.path(), 0o700);
    let data = closed.path().join("referee");
    let sentence = refusal(&data).await.to_string();
    assert!(!data.exists(), "nothing is left where it cannot be used");
    let barrier = closed.path().display();
    assert!(
        sentence.contains(&format!("chmod o+x {barrier}`")),
        "{sentence}"
    );
    // Opened as the sentence says, it works.
    set_mode(closed.path(), 0o711);
    start(&data).await.stop().await.unwrap();
}

#[test]
fn urls_of_what_was_never_started_are_refused() {
    let data = data_dir();
    let sentence = recorded_urls(data.path()).unwrap_err().to_string();
    assert!(sentence.contains("referee serve --data"), "{sentence}");
}

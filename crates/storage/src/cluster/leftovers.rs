//! Stopping what an earlier server left running.
//!
//! A server that is killed cannot stop its PostgreSQL, and a PostgreSQL whose first process is
//! killed may leave a query running. Process ids in files are not proof: the number may since
//! belong to a stranger, most often in a container. A process is ours when the kernel says that
//! it is PostgreSQL and works in this very directory.

use std::{
    fs, io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::ClusterError;

/// A fast shutdown writes all dirty pages to disk first.
const ORDERLY: Duration = Duration::from_mins(1);
const AT_ONCE: Duration = Duration::from_secs(10);

/// Stop every PostgreSQL process that works in `cluster` (a canonical path), and remove the stale
/// pid file, which PostgreSQL would believe if its number were in use again.
pub(super) fn stop(cluster: &Path) -> Result<(), ClusterError> {
    let pid_file = cluster.join("postmaster.pid");
    let first_process = fs::read_to_string(&pid_file)
        .ok()
        .and_then(|text| text.lines().next()?.parse().ok())
        // PostgreSQL in single-user mode writes its number as a negative one.
        .filter(|&pid: &i32| pid > 0)
        .and_then(Pid::from_raw)
        .filter(|&pid| works_in(pid, cluster));
    if let Some(pid) = first_process {
        tracing::warn!(
            pid = pid.as_raw_nonzero().get(),
            "an earlier server left its PostgreSQL running; stopping it"
        );
        signal(pid, Signal::INT);
        wait_until(ORDERLY, || !works_in(pid, cluster));
    }
    for pid in processes_in(cluster) {
        signal(pid, Signal::QUIT);
    }
    wait_until(AT_ONCE, || processes_in(cluster).is_empty());
    let remaining = processes_in(cluster);
    if !remaining.is_empty() {
        return Err(ClusterError::LeftOver {
            cluster: cluster.to_owned(),
            pids: remaining
                .iter()
                .map(|pid| pid.as_raw_nonzero().get())
                .collect(),
        });
    }
    match fs::remove_file(&pid_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ClusterError::file("remove", pid_file)(error))
        }
        _ => Ok(()),
    }
}

fn processes_in(cluster: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|&pid| works_in(pid, cluster))
        .collect()
}

fn works_in(pid: Pid, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == cluster)
        && fs::read_to_string(process.join("comm"))
            .is_ok_and(|name| matches!(name.trim_end(), "postgres" | "initdb"))
}

fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(%error, "a leftover process ended by itself");
    }
}

fn wait_until(limit: Duration, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() && start.elapsed() < limit {
        sleep(Duration::from_millis(10));
    }
}

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Signal, getppid, getuid, kill_process};
use serde::{Deserialize, Serialize};

use super::{Limits, SandboxError, close_inherited, lock_in};

/// What a locked-in process is to try.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Attempts {
    pub sockets: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    pub addresses: Vec<SocketAddr>,
    /// Locked in as a process is that talks to a GPU.
    #[serde(default)]
    pub gpu: bool,
    /// Computes beyond this limit, once all else was tried.
    #[serde(default)]
    pub cpu_seconds: Option<u64>,
}

/// Locks the process in as one that runs a model is, tries to get out by every way that it is told of and every way that is
/// known here, and tells what became of each: what the kernel answered, or `went through`.
///
/// # Errors
/// If it could not be locked in.
pub fn probe(attempts: &Attempts) -> Result<BTreeMap<String, String>, SandboxError> {
    close_inherited()?;
    let descriptors = fs::read_dir("/proc/self/fd").map(|entries| {
        let mut open: Vec<String> = entries
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|target| target.display().to_string())
            .filter(|target| !target.starts_with("/proc/") && !target.starts_with("pipe:"))
            .collect();
        open.sort();
        open.join(" ")
    });
    let parent = getppid();
    let limits = Limits {
        memory: 1 << 30,
        mapped: 0,
        threads: 1,
        cpu_seconds: attempts.cpu_seconds.unwrap_or(10),
        gpu: attempts.gpu,
    };
    lock_in(&limits, || ())?;

    let mut found = BTreeMap::new();
    let mut tell = |what: String, became: io::Result<()>| {
        let became = match became {
            Ok(()) => "went through".to_owned(),
            Err(error) => error.to_string(),
        };
        found.insert(what, became);
    };
    for path in &attempts.sockets {
        let name = format!("connect to {}", path.display());
        tell(name, UnixStream::connect(path).map(drop));
    }
    for path in &attempts.files {
        tell(format!("read {}", path.display()), fs::read(path).map(drop));
        tell(
            format!("list {}", path.display()),
            fs::read_dir(path).map(drop),
        );
    }
    for address in &attempts.addresses {
        tell(
            format!("connect to {address}"),
            TcpStream::connect(address).map(drop),
        );
    }
    tell("listen".into(), TcpListener::bind("127.0.0.1:0").map(drop));
    tell(
        "udp socket".into(),
        UdpSocket::bind("127.0.0.1:0").map(drop),
    );
    tell("socket pair".into(), UnixStream::pair().map(drop));
    tell("list /".into(), fs::read_dir("/").map(drop));
    tell("write a file".into(), fs::write("/tmp/referee-probe", b"x"));
    tell(
        "look at a file".into(),
        fs::metadata("/etc/passwd").map(drop),
    );
    tell(
        "start a program".into(),
        Command::new("/bin/true").spawn().map(drop),
    );
    if let Some(parent) = parent {
        tell(
            "signal the parent".into(),
            kill_process(parent, Signal::WINCH).map_err(Into::into),
        );
        for name in ["mem", "environ", "fd/0"] {
            let path = format!("/proc/{}/{name}", parent.as_raw_nonzero());
            tell(format!("the parent's {name}"), fs::read(path).map(drop));
        }
    }
    system_calls(&mut tell);
    if attempts.cpu_seconds.is_some() {
        loop {
            std::hint::spin_loop();
        }
    }
    found.insert("user".into(), getuid().as_raw().to_string());
    let variables: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    found.insert("environment".into(), variables.join(" "));
    found.insert(
        "open files".into(),
        descriptors.unwrap_or_else(|error| error.to_string()),
    );
    Ok(found)
}

/// What no function of the standard library asks for.
fn system_calls(tell: &mut impl FnMut(String, io::Result<()>)) {
    for (name, number, arguments) in [
        ("ptrace", libc::SYS_ptrace, [0, 0, 0]),
        ("io_uring", libc::SYS_io_uring_setup, [1, 0, 0]),
        ("fork", libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0]),
        ("clone3", libc::SYS_clone3, [0, 0, 0]),
        (
            "read another process",
            libc::SYS_process_vm_readv,
            [1, 0, 0],
        ),
        (
            "a new user namespace",
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER.into(), 0, 0],
        ),
        ("become root", libc::SYS_setuid, [0, 0, 0]),
        ("load bpf", libc::SYS_bpf, [0, 0, 0]),
        (
            "another process's descriptor",
            libc::SYS_pidfd_open,
            [1, 0, 0],
        ),
        (
            "executable memory",
            libc::SYS_mprotect,
            [0, 4096, libc::PROT_EXEC.into()],
        ),
        ("memory file", libc::SYS_memfd_create, [0, 0, 0]),
    ] {
        tell(name.into(), system_call(number, arguments));
    }
}

#[expect(
    unsafe_code,
    reason = "these calls have no other way in; each must be refused"
)]
fn system_call(number: i64, [first, second, third]: [i64; 3]) -> io::Result<()> {
    // SAFETY: none of the calls is given a pointer; refused, they do nothing, and this process does nothing but try them.
    let answer = unsafe { libc::syscall(number, first, second, third, 0_i64, 0_i64) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

//! Locking a process in for good, before it looks at a stranger's model.
//!
//! Whoever is inside has what it holds: memory, its pipes, the files that it has open. Layers, each enough to keep it from the
//! hidden labels and from other submissions:
//! - seccomp: a list of the system calls that arithmetic on threads needs; every other one answers as if the kernel had none
//!   of that name. There is none to open a file, make a socket, start a program or another process, trace or signal one;
//! - Landlock, where the kernel has it (5.13): no file, no TCP, no abstract socket, no signal outside;
//! - a user without rights (`nobody`), where the process started as root;
//! - limits on memory, processor time, file size (none) and descriptors; no core dump, nothing to trace, no new privileges.
//!
//! A GPU's driver opens devices and libraries and starts threads. It does so as a user without rights, before there is any model;
//! then the same list of system calls holds for all threads, with `ioctl` on what is open by then. Landlock keeps such a process
//! from writing only: a second wall that is lower.

mod probe;

use std::fs;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::{fs::Gid, fs::Uid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use serde::{Deserialize, Serialize};

pub use probe::{Attempts, probe};

/// `nobody`, of user and group alike.
const NOBODY: u32 = 65_534;
/// For stacks, allocator arenas and the program itself, beyond what may be written to.
const ADDRESS_SPACE_BESIDES: u64 = 8 << 30;

/// What a process that is locked in may use.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that it writes to, in bytes.
    pub memory: u64,
    /// Bytes of the files that it maps.
    pub mapped: u64,
    pub threads: usize,
    /// Of processor time, over all threads.
    pub cpu_seconds: u64,
    /// It talks to a GPU, whose driver needs device files, `ioctl`, threads and address space beyond measure.
    pub gpu: bool,
}

/// Why a process could not be locked in. Then it must run no model.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "models are not run here: the process has {0} threads, and only one of them would be locked in"
    )]
    Threads(usize),
    #[error("models are not run here: the kernel refused to {action} ({source})")]
    Kernel {
        action: &'static str,
        source: io::Error,
    },
    #[error(
        "models are not run here: the kernel has no seccomp filters ({0}); enable CONFIG_SECCOMP_FILTER"
    )]
    Seccomp(#[from] seccompiler::Error),
}

fn kernel<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |error| SandboxError::Kernel {
        action,
        source: error.into(),
    }
}

/// Closes every descriptor but standard input, output and error: whatever the one who started this process left open.
///
/// # Errors
/// If the kernel cannot (before Linux 5.9).
#[expect(
    unsafe_code,
    reason = "the standard library closes no descriptors that it does not own"
)]
pub fn close_inherited() -> Result<(), SandboxError> {
    // SAFETY: called first thing in a process that has opened nothing yet, so that no owner of a descriptor is left behind.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if closed == 0 {
        return Ok(());
    }
    Err(kernel("close inherited descriptors")(
        io::Error::last_os_error(),
    ))
}

/// Locks this process in. There is no way back.
///
/// `prepare` is run in between, without rights but where files can still be opened and threads started: for a GPU's driver.
///
/// # Errors
/// Where a layer cannot be put up; Landlock alone may be missing, because seccomp closes what it closes.
pub fn lock_in<T>(limits: &Limits, prepare: impl FnOnce() -> T) -> Result<T, SandboxError> {
    let threads = fs::read_dir("/proc/self/task")
        .map_err(kernel("count threads"))?
        .count();
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    limit(limits).map_err(kernel("set resource limits"))?;
    set_no_new_privs(true).map_err(kernel("forbid new privileges"))?;
    restrict_files_and_networks(limits.gpu);
    drop_root().map_err(kernel("become nobody"))?;
    // Both are reset by a change of user, so they come after it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(kernel("forbid tracing"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(kernel("end with its parent"))?;
    let prepared = prepare();
    seccompiler::apply_filter_all_threads(&filter(limits.gpu)?)?;
    Ok(prepared)
}

fn limit(limits: &Limits) -> rustix::io::Result<()> {
    let within = |resource, value, maximum| {
        let (current, maximum) = (Some(value), Some(maximum));
        setrlimit(resource, Rlimit { current, maximum })
    };
    let set = |resource, value| within(resource, value, value);
    set(Resource::Data, limits.memory)?;
    if !limits.gpu {
        let space = limits.memory.saturating_add(limits.mapped);
        set(Resource::As, space.saturating_add(ADDRESS_SPACE_BESIDES))?;
    }
    // The kernel kills at the maximum, which would look like a kill from outside; below it, it names the reason.
    within(
        Resource::Cpu,
        limits.cpu_seconds,
        limits.cpu_seconds.saturating_add(1),
    )?;
    set(Resource::Fsize, 0)?;
    set(Resource::Core, 0)?;
    set(Resource::Nofile, if limits.gpu { 1024 } else { 16 })
}

/// The kernel's newest rules as far as it knows them; an older kernel enforces fewer, which seccomp makes up for.
fn restrict_files_and_networks(gpu: bool) {
    let newest = ABI::V6;
    let files = if gpu {
        AccessFs::from_write(newest)
    } else {
        AccessFs::from_all(newest)
    };
    let devices = path_beneath_rules(gpu.then_some("/dev"), files);
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(files)
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(devices))
        .and_then(landlock::RulesetCreated::restrict_self);
    match restricted {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => {}
        Ok(_) => eprintln!("this kernel has no Landlock; seccomp alone keeps the model from files"),
        Err(error) => eprintln!("Landlock was not put up: {error}"),
    }
}

fn drop_root() -> rustix::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

/// Arithmetic on threads: what the allocator, the threads, the clock and the pipes need.
const ALLOWED: [i64; 33] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_membarrier,
];

/// What the CUDA driver asks for besides, once it runs.
const ALLOWED_WITH_GPU: [i64; 2] = [libc::SYS_ioctl, libc::SYS_poll];

fn filter(gpu: bool) -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    if gpu {
        rules.extend(ALLOWED_WITH_GPU.map(|call| (call, Vec::new())));
    }
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let not_executable = condition(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![not_executable])?]);
    }
    // A thread, never a process; `clone3`, whose flags a filter cannot see, is not on the list, and libc does without it.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(
        libc::SYS_clone,
        vec![SeccompRule::new(vec![condition(
            0,
            SeccompCmpOp::MaskedEq(thread),
            thread,
        )?])?],
    );
    // A panic that aborts signals its own thread.
    rules.insert(
        libc::SYS_tgkill,
        vec![SeccompRule::new(vec![condition(
            0,
            SeccompCmpOp::Eq,
            u64::from(std::process::id()),
        )?])?],
    );
    // The names of threads and of memory regions.
    let names = [libc::PR_SET_NAME, libc::PR_SET_VMA].map(|option| {
        SeccompRule::new(vec![condition(
            0,
            SeccompCmpOp::Eq,
            option.cast_unsigned().into(),
        )?])
    });
    rules.insert(
        libc::SYS_prctl,
        names.into_iter().collect::<Result<_, _>>()?,
    );
    Ok(SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()?)
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)
}

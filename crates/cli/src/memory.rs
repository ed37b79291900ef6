//! How the process gives memory back to the machine.

/// Allocations from here on come from the system one by one, and go back to it when they are freed.
const LARGE: libc::c_int = 1 << 20;

/// Keeps a server's memory at what it uses: glibc would raise the size from which it returns memory at once to that of the
/// largest piece ever freed (a password's hash takes 19 MiB), and keep smaller ones for each thread that has ever worked.
///
/// Not for training or running networks, which use the same large pieces over and over.
pub fn return_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "mallopt is C")]
        // SAFETY: it takes two integers and locks what it changes; threads need not be held still.
        let accepted = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        if accepted == 0 {
            tracing::debug!("the allocator keeps its own size from which it returns memory");
        }
    }
}

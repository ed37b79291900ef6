//! How the process gives memory back to the machine.

/// Keeps a server's memory at what it uses. Left alone, glibc raises the size from which it returns memory at once to that of
/// the largest piece ever freed (a password's hash takes 19 MiB), and keeps smaller ones for each thread that has ever worked:
/// after 600 submissions, 200 at a time, that was 130 of 168 MiB.
///
/// Not for training or running networks, which use the same large pieces over and over.
pub fn return_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        glibc::return_large_pieces_at_once();
        if let Err(error) = std::thread::Builder::new()
            .name("memory".to_owned())
            .spawn(glibc::keep_giving_back)
        {
            tracing::debug!(%error, "what the allocator keeps is not given back");
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::{fs, thread, time::Duration};

    /// Pieces from here on come from the system one by one, and go back to it when they are freed.
    const LARGE: libc::c_int = 1 << 20;
    /// With more memory than this, what is free among smaller pieces is given back too, at each look.
    const RESIDENT_BYTES: usize = 64 << 20;
    const LOOK_EVERY: Duration = Duration::from_secs(1);

    #[expect(unsafe_code, reason = "mallopt is C")]
    pub(super) fn return_large_pieces_at_once() {
        // SAFETY: it takes two integers and locks what it changes; threads need not be held still.
        let accepted = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        if accepted == 0 {
            tracing::debug!("the allocator keeps its own size from which it returns memory");
        }
    }

    pub(super) fn keep_giving_back() {
        loop {
            thread::sleep(LOOK_EVERY);
            if resident_bytes() > Some(RESIDENT_BYTES) {
                give_back();
            }
        }
    }

    #[expect(unsafe_code, reason = "malloc_trim is C")]
    fn give_back() {
        // SAFETY: it takes an integer and locks one arena after the other; threads need not be held still.
        unsafe { libc::malloc_trim(0) };
    }

    fn resident_bytes() -> Option<usize> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"))?;
        Some(kibibytes.trim().parse::<usize>().ok()? << 10)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_lies_free_between_used_pieces_is_given_back() {
            let look = || {
                let mut pieces: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; 32 << 10]).collect();
                let used = resident_bytes().unwrap();
                // Only the last piece stays: glibc returns by itself what lies above it.
                pieces.drain(..4095);
                give_back();
                let left = resident_bytes().unwrap();
                assert_eq!(pieces[0][0], 1);
                (used, left)
            };
            // Other tests of this process may take memory at the same moment, but not at each of five.
            let looks = [(); 5].map(|()| look());
            assert!(
                looks.iter().any(|(used, left)| left + (100 << 20) < *used),
                "used before and left after: {looks:?}"
            );
        }
    }
}

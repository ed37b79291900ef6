//! The account PostgreSQL runs under, and how its programs are started.
//!
//! PostgreSQL refuses to run as root. A server that is root runs it as the user `postgres`; any
//! other server runs it as itself.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::ClusterError;

/// What a program is sent when this server dies without having stopped it.
#[derive(Clone, Copy)]
pub(super) enum OnOurDeath {
    /// `initdb` and its like: what they make is thrown away.
    Kill,
    /// PostgreSQL's fast shutdown.
    ShutDown,
}

pub(super) struct Account {
    /// User and group of `postgres`, where this process is root.
    drop_to: Option<(u32, u32)>,
    /// Whether util-linux' `setpriv` is there to arrange for a parent-death signal.
    has_setpriv: bool,
}

impl Account {
    pub(super) fn of_this_process() -> Result<Self, ClusterError> {
        let drop_to = if rustix::process::geteuid().is_root() {
            let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
            Some(postgres_ids(&passwd).ok_or(ClusterError::NoPostgresUser)?)
        } else {
            None
        };
        let has_setpriv = Command::new("setpriv")
            .args(["--pdeathsig", "INT", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        Ok(Self {
            drop_to,
            has_setpriv,
        })
    }

    /// A command that runs `program` in `directory` under this account, with nothing of this
    /// server's environment but `PATH`, and out of reach of the terminal's Ctrl-C, which is for
    /// this server to answer.
    ///
    /// The kernel ties the parent-death signal to the *thread* that starts the program, so that
    /// thread must live until the program ends. Where there is no `setpriv` no signal is sent;
    /// the next start stops what is left over.
    pub(super) fn command(
        &self,
        program: &Path,
        directory: &Path,
        on_our_death: OnOurDeath,
    ) -> Command {
        let mut command = if self.has_setpriv {
            let signal = match on_our_death {
                OnOurDeath::Kill => "KILL",
                OnOurDeath::ShutDown => "INT",
            };
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", signal]).arg(program);
            command
        } else {
            Command::new(program)
        };
        self.drop_privileges(&mut command);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(directory)
            .process_group(0)
            .stdin(Stdio::null());
        command
    }

    /// Hand `path` over to this account.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if let Some((user, group)) = self.drop_to {
            chown(path, Some(user), Some(group)).map_err(ClusterError::file("hand over", path))?;
        }
        Ok(())
    }

    /// The user id of this account.
    pub(super) fn uid(&self) -> u32 {
        self.drop_to.map_or_else(
            || rustix::process::geteuid().as_raw(),
            |(user, _group)| user,
        )
    }

    /// Refuse a directory that this account cannot enter, naming the outermost one that bars it.
    pub(super) fn check_can_enter(&self, directory: &Path) -> Result<(), ClusterError> {
        if self.can_enter(directory) {
            return Ok(());
        }
        let from_the_root: Vec<&Path> = directory.ancestors().collect();
        let barrier = from_the_root
            .into_iter()
            .rev()
            .find(|ancestor| !self.can_enter(ancestor))
            .unwrap_or(directory);
        Err(ClusterError::Unreachable {
            barrier: barrier.to_owned(),
        })
    }

    /// Asks the kernel itself, so that access control lists count too.
    fn can_enter(&self, directory: &Path) -> bool {
        let Some(_) = self.drop_to else { return true };
        let mut command = Command::new("true");
        self.drop_privileges(&mut command);
        command
            .current_dir(directory)
            .status()
            .is_ok_and(|status| status.success())
    }

    fn drop_privileges(&self, command: &mut Command) {
        if let Some((user, group)) = self.drop_to {
            command.uid(user).gid(group);
        }
    }
}

/// User and group id of `postgres` in the text of `/etc/passwd`.
fn postgres_ids(passwd: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != "postgres" {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some((user, group))
    })
}

/// A private directory of this account's own at `path`, made where there is none.
pub(super) fn private_directory(path: PathBuf, account: &Account) -> Result<PathBuf, ClusterError> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => account.give(&path)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ClusterError::file("create", path)(error)),
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::postgres_ids;

    #[test]
    fn finds_postgres_among_the_accounts() {
        // passwd(5): name:password:UID:GID:GECOS:directory:shell
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\
                      postgresql:x:7:8::/:/bin/sh\n\
                      postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(postgres_ids(passwd), Some((101, 104)));
        assert_eq!(postgres_ids("root:x:0:0:root:/root:/bin/bash\n"), None);
        assert_eq!(postgres_ids("postgres:x:many:104::/:/bin/sh\n"), None);
    }
}

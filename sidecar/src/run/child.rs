//! The command that runs.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::signal::unix::SignalKind;
use tokio::task::JoinHandle;

use super::deliver::Value;

/// A command that was started and not yet reaped, so that its number is nobody else's.
pub(super) struct Running {
    child: Child,
    pid: Pid,
    exited: JoinHandle<()>,
    over: bool,
}

impl Running {
    pub(super) fn start(
        command: &[String],
        variable: &str,
        value: &Value,
    ) -> std::io::Result<Self> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| std::io::Error::other("no command"))?;
        let child = Command::new(program).args(arguments).env(variable, value.as_text()).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("no process number"))?;
        let exited = tokio::task::spawn_blocking(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        });
        Ok(Self { child, pid, exited, over: false })
    }

    /// Waits until it has ended; it is still to be reaped.
    pub(super) async fn exited(&mut self) {
        if !self.over {
            let _ = (&mut self.exited).await;
            self.over = true;
        }
    }

    /// Passes a signal on.
    pub(super) fn signal(&self, kind: SignalKind) {
        if let Some(signal) = Signal::from_named_raw(kind.as_raw_value()) {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Reaps it: its exit code, or 128 and the number of the signal that ended it, as shells have it.
    pub(super) fn code(mut self) -> std::io::Result<ExitCode> {
        let status = self.child.wait()?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, Some(signal)) => code_of_signal(SignalKind::from_raw(signal)),
            (None, None) => ExitCode::FAILURE,
        })
    }
}

/// 128 and the number.
pub(super) fn code_of_signal(kind: SignalKind) -> ExitCode {
    ExitCode::from(u8::try_from(kind.as_raw_value().saturating_add(128)).unwrap_or(u8::MAX))
}

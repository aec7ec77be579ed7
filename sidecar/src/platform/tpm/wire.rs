//! TPM 2.0 commands and answers as they go over the line (TPM 2.0 Library, part 1, section 18, and
//! part 3): big-endian, each with tag, size and code.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use claviger_client::PlatformError;

/// `TPM_ST_NO_SESSIONS` and `TPM_ST_SESSIONS`.
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// `TPM_RS_PW`: an authorisation by an (empty) password.
const PASSWORD: u32 = 0x4000_0009;
/// Bytes of the largest answer that is read.
const LARGEST: usize = 4096;
/// Bytes in front of an answer's parameters: tag, size, code.
const HEADER: usize = 10;

/// `TPM_RC_YIELDED`, `TPM_RC_TESTING` and `TPM_RC_RETRY`: the same command, once more.
const AGAIN: [[u8; 4]; 3] = [[0, 0, 9, 0x08], [0, 0, 9, 0x0a], [0, 0, 9, 0x22]];
/// How often that is done, and how long to wait in between.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Where a TPM listens: the resource manager's device, or a simulator's socket.
pub(super) enum Line {
    Device(File),
    Socket(TcpStream),
}

impl Line {
    /// Sends a command, reads its answer, checks its code; gives what stands behind the header.
    pub(super) fn send(&mut self, command: &Command) -> Result<Answer, PlatformError> {
        let bytes = command.bytes()?;
        let mut attempts = ATTEMPTS;
        loop {
            let answer = self.exchange(&bytes).map_err(|error| PlatformError::new("tpm", error))?;
            if attempts == 0 || !AGAIN.iter().any(|code| answer.get(6..HEADER) == Some(code)) {
                return Answer::read(answer, command.name, !command.authorised.is_empty());
            }
            attempts = attempts.saturating_sub(1);
            std::thread::sleep(PAUSE);
        }
    }

    /// A device answers with one read; a socket byte by byte, its length in front.
    fn exchange(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        let mut answer = vec![0; LARGEST];
        let read = match self {
            Self::Device(device) => {
                device.write_all(command)?;
                device.read(&mut answer)?
            }
            Self::Socket(socket) => {
                socket.write_all(command)?;
                let (header, rest) = answer.split_at_mut(HEADER);
                socket.read_exact(header)?;
                let size = header.get(2..6).and_then(|size| size.try_into().ok());
                let size = size.map(u32::from_be_bytes).and_then(|size| usize::try_from(size).ok());
                let size = size.unwrap_or_default();
                let body = size.checked_sub(HEADER).and_then(|length| rest.get_mut(..length));
                let body = body.ok_or_else(|| io::Error::other("an answer of impossible size"))?;
                socket.read_exact(body)?;
                size
            }
        };
        answer.truncate(read);
        Ok(answer)
    }
}

/// A command: its code, handles, of which the first ones are authorised, and parameters.
pub(super) struct Command {
    name: &'static str,
    code: u32,
    authorised: Vec<u32>,
    handles: Vec<u32>,
    parameters: Vec<u8>,
}

impl Command {
    pub(super) fn new(name: &'static str, code: u32) -> Self {
        Self { name, code, authorised: Vec::new(), handles: Vec::new(), parameters: Vec::new() }
    }

    /// A handle with the empty password.
    pub(super) fn authorised(mut self, handle: u32) -> Self {
        self.authorised.push(handle);
        self
    }

    pub(super) fn handle(mut self, handle: u32) -> Self {
        self.handles.push(handle);
        self
    }

    pub(super) fn parameter(mut self, bytes: &[u8]) -> Self {
        self.parameters.extend_from_slice(bytes);
        self
    }

    /// A TPM2B: the length in two bytes, then the bytes.
    pub(super) fn sized(self, bytes: &[u8]) -> Self {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.parameter(&length.to_be_bytes()).parameter(bytes)
    }

    fn bytes(&self) -> Result<Vec<u8>, PlatformError> {
        let mut body = Vec::new();
        for handle in self.authorised.iter().chain(&self.handles) {
            body.extend_from_slice(&handle.to_be_bytes());
        }
        if !self.authorised.is_empty() {
            // Each session: handle, empty nonce, continueSession, empty password.
            let sessions: Vec<u8> = self
                .authorised
                .iter()
                .flat_map(|_| [&PASSWORD.to_be_bytes()[..], &[0, 0, 1, 0, 0]].concat())
                .collect();
            body.extend_from_slice(&size(sessions.len())?);
            body.extend_from_slice(&sessions);
        }
        body.extend_from_slice(&self.parameters);
        let tag = if self.authorised.is_empty() { NO_SESSIONS } else { SESSIONS };
        let length = size(body.len().saturating_add(HEADER))?;
        Ok([&tag.to_be_bytes()[..], &length, &self.code.to_be_bytes(), &body].concat())
    }
}

fn size(length: usize) -> Result<[u8; 4], PlatformError> {
    let length = u32::try_from(length);
    length.map(u32::to_be_bytes).map_err(|error| PlatformError::new("tpm", error))
}

/// An answer's parameters, read from the front.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    at: usize,
    name: &'static str,
}

impl Answer {
    fn read(bytes: Vec<u8>, name: &'static str, sessions: bool) -> Result<Self, PlatformError> {
        let mut answer = Self { bytes, at: 0, name };
        answer.take(2)?;
        let size = answer.u32()?;
        let code = answer.u32()?;
        if code != 0 {
            let reason = format!("{name} was refused with code 0x{code:03x}");
            return Err(PlatformError::new("tpm", reason));
        }
        if usize::try_from(size).ok() != Some(answer.bytes.len()) {
            return Err(answer.short());
        }
        if sessions {
            answer.u32()?;
        }
        Ok(answer)
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&[u8], PlatformError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.short())?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Result<u16, PlatformError> {
        let bytes = self.take(2)?.try_into();
        bytes.map(u16::from_be_bytes).map_err(|_| self.short())
    }

    pub(super) fn u32(&mut self) -> Result<u32, PlatformError> {
        let bytes = self.take(4)?.try_into();
        bytes.map(u32::from_be_bytes).map_err(|_| self.short())
    }

    /// A TPM2B.
    pub(super) fn sized(&mut self) -> Result<Vec<u8>, PlatformError> {
        let length = usize::from(self.u16()?);
        self.take(length).map(<[u8]>::to_vec)
    }

    /// Where the next byte is read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What was read since a position.
    pub(super) fn since(&self, position: usize) -> Vec<u8> {
        self.bytes.get(position..self.at).unwrap_or_default().to_vec()
    }

    fn short(&self) -> PlatformError {
        PlatformError::new("tpm", format!("the answer to {} is cut off or too long", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_framed_with_its_session() {
        let plain = Command::new("x", 0x17b).parameter(&[0, 8]).bytes().unwrap();
        assert_eq!(plain, [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8]);
        let bytes = Command::new("x", 0x158).authorised(0x8100_0003).sized(b"n").bytes().unwrap();
        let wanted = [
            &[0x80, 2, 0, 0, 0, 30, 0, 0, 1, 0x58, 0x81, 0, 0, 3, 0, 0, 0, 9][..],
            &[0x40, 0, 0, 9, 0, 0, 1, 0, 0, 0, 1, b'n'],
        ]
        .concat();
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn an_answer_of_another_length_or_with_a_code_is_refused() {
        let good = [0x80, 1, 0, 0, 0, 13, 0, 0, 0, 0, 0, 1, b'x'];
        let mut answer = Answer::read(good.to_vec(), "x", false).unwrap();
        assert_eq!(answer.sized().unwrap(), b"x");
        assert!(answer.take(1).is_err());
        for cut in 0..good.len() {
            assert!(Answer::read(good[..cut].to_vec(), "x", false).is_err(), "{cut}");
        }
        let refused = [0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x8b];
        let error = Answer::read(refused.to_vec(), "TPM2_Quote", false).unwrap_err();
        assert_eq!(error.to_string(), "tpm: TPM2_Quote was refused with code 0x18b");
    }
}

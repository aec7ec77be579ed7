//! The commands that evidence needs: quote, PCRs, NV indices, a key's public area.

use std::fs::File;
use std::net::TcpStream;
use std::time::Duration;

use claviger_client::PlatformError;

use super::wire::{Command, Line};

/// `TPM_ALG_SHA256`, `TPM_ALG_NULL`, and the algorithms that signatures are made by.
const SHA256: u16 = 0x000b;
const NULL: [u8; 2] = [0x00, 0x10];
const RSASSA: u16 = 0x0014;
const RSAPSS: u16 = 0x0016;
const ECDSA: u16 = 0x0018;

/// `TPM_RH_OWNER`.
const OWNER: u32 = 0x4000_0001;
/// Bytes that are read from or written to an NV index at once; every TPM takes as many.
const CHUNK: usize = 512;
/// The registers of the SHA-256 bank that are quoted: all of them.
const ALL: [u8; 3] = [0xff; 3];

/// A TPM that is spoken to.
pub(crate) struct Tpm(Line);

/// The counter of updates, which registers were read, their values.
type Registers = (u32, [u8; 3], Vec<[u8; 32]>);

/// A quote, and the values that it is about.
pub(super) struct Quote {
    /// TPMS_ATTEST.
    pub(super) message: Vec<u8>,
    /// TPMT_SIGNATURE.
    pub(super) signature: Vec<u8>,
    /// The 24 registers of SHA-256.
    pub(super) pcrs: Vec<[u8; 32]>,
}

impl Tpm {
    /// `/dev/tpmrm0` or the like; `tcp:host:port` of a simulator, which has to be started up.
    pub(crate) fn open(place: &str) -> Result<Self, PlatformError> {
        let failed = |error: std::io::Error| PlatformError::new("tpm", format!("{place}: {error}"));
        match place.strip_prefix("tcp:") {
            None => File::options()
                .read(true)
                .write(true)
                .open(place)
                .map(|device| Self(Line::Device(device)))
                .map_err(failed),
            Some(address) => {
                let socket = TcpStream::connect(address).map_err(failed)?;
                socket.set_read_timeout(Some(Duration::from_secs(30))).map_err(failed)?;
                Ok(Self(Line::Socket(socket)))
            }
        }
    }

    /// Registers and a quote of them. Where a register was extended in between, once more.
    pub(super) fn quote(&mut self, key: u32, data: &[u8]) -> Result<Quote, PlatformError> {
        for _ in 0..3 {
            let (counter, pcrs) = self.pcrs()?;
            let (message, signature) = self.sign(key, data)?;
            if self.pcr_read(ALL)?.0 == counter {
                return Ok(Quote { message, signature, pcrs });
            }
        }
        Err(PlatformError::new("tpm", "registers are extended all the time"))
    }

    /// TPM2_Quote (part 3, section 18.4), by the key's own scheme.
    fn sign(&mut self, key: u32, data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), PlatformError> {
        let command = Command::new("TPM2_Quote", 0x158)
            .authorised(key)
            .sized(data)
            .parameter(&NULL)
            .parameter(&selection(ALL));
        let mut answer = self.0.send(&command)?;
        let message = answer.sized()?;
        let start = answer.position();
        match answer.u16()? {
            RSASSA | RSAPSS => {
                answer.u16()?;
                answer.sized()?;
            }
            ECDSA => {
                answer.u16()?;
                answer.sized()?;
                answer.sized()?;
            }
            other => {
                return Err(PlatformError::new("tpm", format!("a signature by 0x{other:04x}")));
            }
        }
        Ok((message, answer.since(start)))
    }

    /// All registers of SHA-256, and the counter of their updates.
    fn pcrs(&mut self) -> Result<(u32, Vec<[u8; 32]>), PlatformError> {
        let mut left = ALL;
        let mut pcrs = Vec::new();
        let mut counter = None;
        while left != [0; 3] {
            let (at, read, values) = self.pcr_read(left)?;
            if read == [0; 3] || counter.is_some_and(|counter| counter != at) {
                return Err(PlatformError::new("tpm", "not all registers of SHA-256 can be read"));
            }
            counter = Some(at);
            pcrs.extend(values);
            for (left, read) in left.iter_mut().zip(read) {
                *left &= !read;
            }
        }
        match (counter, pcrs.len()) {
            (Some(counter), 24) => Ok((counter, pcrs)),
            _ => Err(PlatformError::new("tpm", "the bank of SHA-256 has not 24 registers")),
        }
    }

    /// TPM2_PCR_Read (part 3, section 22.4): some of those that are asked for, from the lowest on.
    fn pcr_read(&mut self, wanted: [u8; 3]) -> Result<Registers, PlatformError> {
        let wrong = || PlatformError::new("tpm", "registers in another form");
        let command = Command::new("TPM2_PCR_Read", 0x17e).parameter(&selection(wanted));
        let mut answer = self.0.send(&command)?;
        let counter = answer.u32()?;
        let (banks, hash, bytes) = (answer.u32()?, answer.u16()?, answer.take(1)?.to_vec());
        if (banks, hash, bytes.as_slice()) != (1, SHA256, &[3]) {
            return Err(wrong());
        }
        let read = answer.take(3)?.try_into().map_err(|_| wrong())?;
        let mut values = Vec::new();
        for _ in 0..answer.u32()?.min(24) {
            values.push(answer.sized()?.try_into().map_err(|_| wrong())?);
        }
        Ok((counter, read, values))
    }

    /// The public area of a loaded or persistent key (TPMT_PUBLIC).
    pub(super) fn public(&mut self, key: u32) -> Result<Vec<u8>, PlatformError> {
        self.0.send(&Command::new("TPM2_ReadPublic", 0x173).handle(key))?.sized()
    }

    /// The whole of an NV index, by the owner's empty password.
    pub(super) fn nv_read(&mut self, index: u32) -> Result<Vec<u8>, PlatformError> {
        let size = self.nv_size(index)?;
        let mut content = Vec::new();
        while content.len() < usize::from(size) {
            let left = usize::from(size).saturating_sub(content.len()).min(CHUNK);
            let command = Command::new("TPM2_NV_Read", 0x14e)
                .authorised(OWNER)
                .handle(index)
                .parameter(&short(left).to_be_bytes())
                .parameter(&short(content.len()).to_be_bytes());
            let part = self.0.send(&command)?.sized()?;
            if part.is_empty() {
                return Err(PlatformError::new("tpm", "an NV index that gives nothing"));
            }
            content.extend_from_slice(&part);
        }
        Ok(content)
    }

    /// Writes an NV index from its beginning, by the owner's empty password.
    pub(super) fn nv_write(&mut self, index: u32, content: &[u8]) -> Result<(), PlatformError> {
        for (number, part) in content.chunks(CHUNK).enumerate() {
            let command = Command::new("TPM2_NV_Write", 0x137)
                .authorised(OWNER)
                .handle(index)
                .sized(part)
                .parameter(&short(number.saturating_mul(CHUNK)).to_be_bytes());
            self.0.send(&command)?;
        }
        Ok(())
    }

    /// `dataSize` of TPM2_NV_ReadPublic (part 2, section 13.5: index, name algorithm, attributes,
    /// policy, size).
    fn nv_size(&mut self, index: u32) -> Result<u16, PlatformError> {
        let command = Command::new("TPM2_NV_ReadPublic", 0x169).handle(index);
        let mut answer = self.0.send(&command)?;
        answer.u16()?;
        answer.take(10)?;
        answer.sized()?;
        answer.u16()
    }
}

/// TPML_PCR_SELECTION of one bank.
fn selection(pcrs: [u8; 3]) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &SHA256.to_be_bytes(), &[3], &pcrs].concat()
}

/// A size or an offset within an NV index, which has at most 64 KiB.
fn short(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

//! TPMS_ATTEST (part 2, section 10.12.12) of a quote: what a TPM signs.

use crate::bytes::Bytes;
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::types::Span;

/// TPM_GENERATED_VALUE: a restricted key signs nothing else that begins so (section 6.2).
pub(super) const MAGIC: u32 = 0xff54_4347;
/// TPM_ST_ATTEST_QUOTE (section 6.9).
const QUOTE: u16 = 0x8018;

/// TPM2B_DATA and TPM2B_NAME hold an algorithm and its digest at most (sections 10.4.3, 10.5.3).
pub(super) const MAX_DATA: usize = 2 + 64;
/// Hash algorithms that a TPM may have (TPML_PCR_SELECTION, section 10.9.7).
const MAX_BANKS: u32 = 16;
/// A bitmap of PCRs: 24 of them in three bytes on a PC.
const MAX_BITMAP: usize = 4;

/// A quote.
#[derive(Clone, Debug)]
pub struct Attest {
    /// Whatever whoever asked for the quote wanted in it: a nonce. Where it stands; may be empty.
    pub extra_data: Span,
    /// Milliseconds that the TPM was powered since its clock was cleared.
    pub clock: u64,
    /// How often it was reset since then, and restarted since the last reset.
    pub reset_count: u32,
    /// See there.
    pub restart_count: u32,
    /// Whether no higher clock value was ever told.
    pub safe: bool,
    /// The firmware, as its vendor numbers it.
    pub firmware_version: u64,
    /// Which PCRs are quoted, in the order in which they are hashed.
    pub selections: Vec<Selection>,
    /// Where the digest of their values stands. It is of the signature's hash algorithm.
    pub pcr_digest: Span,
}

/// PCRs of one bank.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// The bank.
    pub bank: Bank,
    /// Their indexes, ascending.
    pub indexes: Vec<u32>,
}

impl Attest {
    /// Reads a TPMS_ATTEST of type quote that fills `message`. What it says counts after its signature
    /// was checked.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] where it is something else, another kind of attestation included;
    /// [`Rejection::Unsupported`] for a bank of an unknown algorithm.
    pub fn read(message: &[u8]) -> Result<Self, Rejection> {
        let mut bytes = Bytes(message);
        if bytes.u32_be() != Some(MAGIC) {
            return Err(malformed("no TPM made it"));
        }
        if bytes.u16_be() != Some(QUOTE) {
            return Err(malformed("not a quote"));
        }
        let whole = read_quote(&mut bytes, message.len());
        let (attest, selections) = whole.ok_or_else(|| malformed("not whole"))?;
        if !bytes.is_empty() {
            return Err(malformed("something stands behind it"));
        }
        Ok(Self { selections: banks(&selections)?, ..attest })
    }
}

/// The number of a bank, and a bit for each of its PCRs, the lowest first.
type Bitmap<'a> = (u16, &'a [u8]);

/// What stands before what is attested, whatever that is.
pub(super) struct Head {
    extra_data: Span,
    clock: u64,
    reset_count: u32,
    restart_count: u32,
    safe: bool,
    firmware_version: u64,
}

/// What follows magic and type.
pub(super) fn head(bytes: &mut Bytes<'_>, length: usize) -> Option<Head> {
    let _qualified_signer = sized(bytes, length, MAX_DATA)?;
    let extra_data = sized(bytes, length, MAX_DATA)?;
    let clock = bytes.u64_be()?;
    let reset_count = bytes.u32_be()?;
    let restart_count = bytes.u32_be()?;
    // TPMI_YES_NO (section 9.2).
    let safe = match bytes.byte()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let firmware_version = bytes.u64_be()?;
    Some(Head { extra_data, clock, reset_count, restart_count, safe, firmware_version })
}

/// What follows magic and type; the selections by the numbers of their banks.
fn read_quote<'a>(bytes: &mut Bytes<'a>, length: usize) -> Option<(Attest, Vec<Bitmap<'a>>)> {
    let head = head(bytes, length)?;
    let count = bytes.u32_be().filter(|count| *count <= MAX_BANKS)?;
    let mut selections = Vec::new();
    for _ in 0..count {
        let bank = bytes.u16_be()?;
        let size = usize::from(bytes.byte()?);
        selections.push((bank, bytes.take(size).filter(|_| size <= MAX_BITMAP)?));
    }
    let pcr_digest = sized(bytes, length, 64)?;
    let selected = Vec::new();
    let Head { extra_data, clock, reset_count, restart_count, safe, firmware_version } = head;
    let attest = Attest {
        extra_data,
        clock,
        reset_count,
        restart_count,
        safe,
        firmware_version,
        selections: selected,
        pcr_digest,
    };
    Some((attest, selections))
}

/// A TPM2B of at most `limit` bytes: where its content stands.
pub(super) fn sized(bytes: &mut Bytes<'_>, length: usize, limit: usize) -> Option<Span> {
    let content = bytes.sized().filter(|content| content.len() <= limit)?;
    let start = length - bytes.0.len() - content.len();
    Some(Span { start: start.try_into().ok()?, length: content.len().try_into().ok()? })
}

fn banks(selections: &[Bitmap<'_>]) -> Result<Vec<Selection>, Rejection> {
    let mut read: Vec<Selection> = Vec::with_capacity(selections.len());
    for (number, bitmap) in selections {
        let bank = Bank::of(*number).ok_or_else(|| {
            Rejection::Unsupported(format!("PCRs by the algorithm {number:#06x}"))
        })?;
        if read.iter().any(|before| before.bank == bank) {
            return Err(malformed("a bank stands twice"));
        }
        let bits = (0..).zip(bitmap.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)));
        let indexes = bits.filter(|(_, bit)| *bit == 1).map(|(index, _)| index).collect();
        read.push(Selection { bank, indexes });
    }
    Ok(read)
}

pub(super) fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(format!("TPMS_ATTEST: {why}"))
}

//! The attestation document: the payload that the Nitro Security Module signs (AWS Nitro Enclaves NSM
//! API, "Attestation process", section 3.1).

use claviger_plugin_sdk::cbor::{self, Item, Value};

/// Bytes of a register: the only digest is SHA-384.
const REGISTER: usize = 48;

/// Registers have the numbers from 0 to 31.
const REGISTERS: u64 = 32;

/// Of certificates between the enclave's and the root, that included.
const LONGEST_CHAIN: usize = 8;

/// Bytes that each optional field may have, and the longest certificate.
const LONGEST_FIELD: usize = 1024;
const LONGEST_CERTIFICATE: usize = 1024;

/// Every member that a document may have.
const MEMBERS: [&str; 10] = [
    "module_id",
    "timestamp",
    "digest",
    "pcrs",
    "nitrotpm_pcrs",
    "certificate",
    "cabundle",
    "public_key",
    "user_data",
    "nonce",
];

/// Whose registers a document has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Module {
    /// An enclave's, of the Nitro Security Module: `pcrs`.
    Enclave,
    /// An EC2 instance's, of its NitroTPM: `nitrotpm_pcrs`.
    NitroTpm,
}

/// What was signed.
pub(crate) struct Document<'a> {
    pub(crate) module_id: &'a str,
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp: u64,
    pub(crate) module: Module,
    /// By their numbers; each of 48 bytes.
    pub(crate) pcrs: Vec<(u64, Item<'a>)>,
    pub(crate) public_key: Option<Item<'a>>,
    pub(crate) user_data: Option<Item<'a>>,
    pub(crate) nonce: Option<Item<'a>>,
    certificate: &'a [u8],
    /// Root first.
    bundle: Vec<&'a [u8]>,
}

impl<'a> Document<'a> {
    /// Reads a payload, strictly.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, &'static str> {
        // The module writes maps without a length in front.
        let map = cbor::parse_streamed(payload)?;
        let members = map.map().ok_or("the document is no map")?;
        let unknown = |(key, _): &(Item<'_>, Item<'_>)| {
            key.text().is_none_or(|name| !MEMBERS.contains(&name))
        };
        if members.iter().any(unknown) {
            return Err("a member that no document has");
        }
        let member = |name: &str| map.named(name);
        if member("digest").and_then(Item::text) != Some("SHA384") {
            return Err("the digest is not SHA384");
        }
        let optional = |name: &str| match member(name) {
            None => Ok(None),
            Some(item) if item.value == Value::Null => Ok(None),
            Some(item) => match item.bytes() {
                Some(bytes) if bytes.len() <= LONGEST_FIELD => Ok(Some(item.clone())),
                _ => Err("an optional field is no byte string of at most 1024 bytes"),
            },
        };
        let bundle = member("cabundle").and_then(Item::list).ok_or("there is no cabundle")?;
        if !(1..=LONGEST_CHAIN).contains(&bundle.len()) {
            return Err("a cabundle of this length");
        }
        let (module, pcrs) = match (member("pcrs"), member("nitrotpm_pcrs")) {
            (Some(pcrs), None) => (Module::Enclave, pcrs),
            (None, Some(pcrs)) => (Module::NitroTpm, pcrs),
            _ => return Err("it has not the registers of one module"),
        };
        Ok(Self {
            module,
            module_id: member("module_id")
                .and_then(Item::text)
                .filter(|id| !id.is_empty() && id.len() <= 256)
                .ok_or("there is no module_id")?,
            timestamp: member("timestamp")
                .and_then(Item::unsigned)
                .ok_or("there is no timestamp")?,
            pcrs: registers(pcrs)?,
            public_key: optional("public_key")?,
            user_data: optional("user_data")?,
            nonce: optional("nonce")?,
            certificate: certificate(member("certificate"))?,
            bundle: bundle.iter().map(|item| certificate(Some(item))).collect::<Result<_, _>>()?,
        })
    }

    /// The chain, leaf first.
    pub(crate) fn chain(&self) -> Vec<Vec<u8>> {
        let above = self.bundle.iter().rev().copied();
        std::iter::once(self.certificate).chain(above).map(<[u8]>::to_vec).collect()
    }

    /// Whether the enclave runs in debug mode: then its image's registers are all zero, or missing,
    /// which says as little. An instance has no such mode.
    pub(crate) fn debug(&self) -> bool {
        let mut image = 0..3;
        self.module == Module::Enclave
            && image.any(|number| {
                let register = self.pcrs.iter().find(|(index, _)| *index == number);
                let bytes = register.and_then(|(_, item)| item.bytes()).unwrap_or_default();
                bytes.iter().all(|byte| *byte == 0)
            })
    }
}

fn registers<'a>(pcrs: &Item<'a>) -> Result<Vec<(u64, Item<'a>)>, &'static str> {
    let members = pcrs.map().ok_or("there are no pcrs")?;
    if members.is_empty() {
        return Err("there are no pcrs");
    }
    let mut registers = Vec::with_capacity(members.len());
    for (key, register) in members {
        let index = key.unsigned().filter(|index| *index < REGISTERS);
        let index = index.ok_or("a register has no number below 32")?;
        if register.bytes().map(<[u8]>::len) != Some(REGISTER) {
            return Err("a register has not 48 bytes");
        }
        registers.push((index, register.clone()));
    }
    Ok(registers)
}

fn certificate<'a>(item: Option<&Item<'a>>) -> Result<&'a [u8], &'static str> {
    let bytes = item.and_then(Item::bytes).ok_or("a certificate is missing")?;
    match (1..=LONGEST_CERTIFICATE).contains(&bytes.len()) {
        true => Ok(bytes),
        false => Err("a certificate of this size"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document with these members, CBOR each, after the ones that must be there.
    fn document(change: impl Fn(&mut Vec<(&'static str, Vec<u8>)>)) -> Vec<u8> {
        let bytes =
            |length: usize, fill: u8| [vec![0x58, length as u8], vec![fill; length]].concat();
        let pcrs = |fill: u8| {
            let each = (0..4).flat_map(|number| [vec![number], bytes(48, fill)].concat());
            [vec![0xa4], each.collect()].concat()
        };
        let mut members = vec![
            ("module_id", b"\x63i-1".to_vec()),
            ("timestamp", vec![0x18, 99]),
            ("digest", b"\x66SHA384".to_vec()),
            ("pcrs", pcrs(7)),
            ("certificate", bytes(30, 1)),
            ("cabundle", [vec![0x82], bytes(30, 2), bytes(30, 3)].concat()),
            ("user_data", bytes(64, 9)),
            ("nonce", vec![0xf6]),
        ];
        change(&mut members);
        let mut text = vec![0xbf];
        for (name, value) in members {
            text.push(0x60 | name.len() as u8);
            text.extend(name.bytes());
            text.extend(value);
        }
        text.push(0xff);
        text
    }

    fn set(name: &'static str, value: &[u8]) -> Vec<u8> {
        document(|members| {
            members.retain(|(present, _)| *present != name);
            members.push((name, value.to_vec()));
        })
    }

    #[test]
    fn a_document_is_read_with_its_chain_leaf_first() {
        let text = document(|_| {});
        let read = Document::read(&text).unwrap();
        assert_eq!((read.module_id, read.timestamp, read.pcrs.len()), ("i-1", 99, 4));
        assert_eq!(read.chain(), [vec![1; 30], vec![3; 30], vec![2; 30]]);
        assert!(read.nonce.is_none() && read.user_data.is_some() && !read.debug());
    }

    // attack 17
    #[test]
    fn registers_of_zeros_or_none_are_a_debug_enclave() {
        let zero = [vec![0xa1, 0x00, 0x58, 48], vec![0; 48]].concat();
        assert!(Document::read(&set("pcrs", &zero)).unwrap().debug());
        let other = [vec![0xa1, 0x03, 0x58, 48], vec![1; 48]].concat();
        assert!(Document::read(&set("pcrs", &other)).unwrap().debug());
    }

    #[test]
    fn an_instances_document_has_the_registers_of_its_tpm() {
        let registers = [vec![0xa1, 0x04, 0x58, 48], vec![1; 48]].concat();
        let of_tpm = document(|members| {
            members.retain(|(name, _)| *name != "pcrs");
            members.push(("nitrotpm_pcrs", registers.clone()));
        });
        let read = Document::read(&of_tpm).unwrap();
        assert_eq!((read.module, read.debug()), (Module::NitroTpm, false));
        assert!(Document::read(&set("nitrotpm_pcrs", &registers)).is_err());
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (name, value) in [
            ("digest", &b"\x66SHA256"[..]),
            ("module_id", &[0x60]),
            ("timestamp", &[0x20]),
            ("pcrs", &[0xa0]),
            ("pcrs", &[0xa1, 0x00, 0x41, 0x00]),
            ("cabundle", &[0x80]),
            ("certificate", &[0x40]),
            ("user_data", &[0x01]),
            ("nonce", &[0x61, b'x']),
            ("extra", &[0x01]),
        ] {
            assert!(Document::read(&set(name, value)).is_err(), "{name}");
        }
        let long = [vec![0x59, 0x04, 0x01], vec![0; 1025]].concat();
        assert!(Document::read(&set("user_data", &long)).is_err());
        let beyond = [vec![0xa1, 0x18, 32, 0x58, 48], vec![1; 48]].concat();
        assert!(Document::read(&set("pcrs", &beyond)).is_err());
        let whole = document(|_| {});
        for length in 0..whole.len() {
            assert!(Document::read(&whole[..length]).is_err(), "{length}");
        }
        for name in ["module_id", "timestamp", "digest", "pcrs", "certificate", "cabundle"] {
            let without = document(|members| members.retain(|(present, _)| *present != name));
            assert!(Document::read(&without).is_err(), "{name}");
        }
    }
}

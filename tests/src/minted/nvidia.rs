//! GPUs of NVIDIA's and their reports: SPDM 1.1 (DMTF DSP0274), GET_MEASUREMENTS and MEASUREMENTS, with
//! certificates in the form of Blackwell (TCG DICE Attestation Architecture 1.1, section 6.1.1).

use claviger::assemble::Plan;
use claviger::http::EvidenceBody;
use claviger::simulated::der;
use rcgen::CustomExtension;

use super::maker::{Device, Maker};

/// The name of the verifier.
pub const VERIFIER: &str = "verifier-nvidia";

/// SHA-384 of the firmware, in certificates and reports.
const FIRMWARE: [u8; 48] = [0x46; 48];

const ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];
const DEVICE_INFO: &[u64] = &[1, 3, 6, 1, 4, 1, 412, 274, 1];
const TCB_INFO: &[u64] = &[2, 23, 133, 5, 4, 1, 1];
const SHA384: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 2];

/// NVIDIA: its root, and who certifies its devices.
pub struct Nvidia {
    root: Maker,
    authority: Maker,
}

impl Nvidia {
    /// Makes the keys.
    #[must_use]
    pub fn mint() -> Self {
        // By its name a host knows whose root is simulated.
        let root = Maker::root("NVIDIA Device Identity CA");
        let authority = root.authority("NVIDIA GB100 Identity");
        Self { root, authority }
    }

    /// A host by this plan trusts the root as simulated, knows the authority for one that is not revoked,
    /// and takes the measurements of [`Gpu`] for approved.
    pub fn trusted_by(&self, plan: &mut Plan) {
        plan.simulated_roots.push(self.root.certificate());
        plan.endorsements.push(self.list(false));
        plan.configured.push(super::group(
            "nvidia",
            MEASUREMENTS.map(|(index, value)| (format!("measurement_{index}"), value)),
        ));
        if let Some(bundled) = &mut plan.bundled {
            bundled.insert(VERIFIER.to_owned());
        }
    }

    /// The root's certificate, DER.
    #[must_use]
    pub fn root(&self) -> Vec<u8> {
        self.root.certificate()
    }

    /// The root's revocation list, DER; whether the authority for devices stands on it.
    #[must_use]
    pub fn list(&self, revoked: bool) -> Vec<u8> {
        match revoked {
            true => self.root.list(&[&self.authority]),
            false => self.root.list(&[]),
        }
    }

    /// A GPU with this serial number (hexadecimal), whose firmware may not be debugged.
    #[must_use]
    pub fn gpu(&self, serial: &str) -> Gpu {
        self.certified(serial, 0x80)
    }

    /// One whose firmware may be debugged, by its certificate.
    #[must_use]
    pub fn debugged_gpu(&self, serial: &str) -> Gpu {
        self.certified(serial, 0x90)
    }

    fn certified(&self, serial: &str, flags: u8) -> Gpu {
        let name = der::sequence([der::element(
            0xa0,
            &[
                der::oid(DEVICE_INFO),
                der::explicit(0, &der::utf8(&format!("NVIDIA:GB100:{serial}"))),
            ]
            .concat(),
        )]);
        let id = der::sequence([der::oid(SHA384), der::octet_string(&FIRMWARE)]);
        let info = der::sequence([der::element(0xa6, &id), der::element(0x87, &[0, flags])]);
        let extensions = vec![
            CustomExtension::from_oid_content(ALTERNATIVE_NAME, name),
            CustomExtension::from_oid_content(TCB_INFO, info),
        ];
        Gpu {
            device: self.authority.device(&format!("GB100 {serial}"), extensions),
            authority: self.authority.certificate(),
            measurements: MEASUREMENTS.map(|(index, value)| (index, value.to_vec())).to_vec(),
        }
    }
}

/// What a sound GPU measures, by index; of a real one there are up to 64.
pub const MEASUREMENTS: [(u8, &[u8]); 2] = [(1, &[0x11; 48]), (2, &[0x22; 48])];

/// A GPU.
pub struct Gpu {
    device: Device,
    authority: Vec<u8>,
    /// By their indices, from 1 in rising order; SHA-384, 48 bytes each.
    pub measurements: Vec<(u8, Vec<u8>)>,
}

impl Gpu {
    /// The report that carries these 32 bytes: the challenge digest by SHA-256. The certificates are attached.
    #[must_use]
    pub fn evidence(&self, nonce: &[u8]) -> EvidenceBody {
        let mut report = vec![0x11, 0xe0, 1, 0xff];
        report.extend(nonce);
        report.push(0);
        report.extend([0x11, 0x60, 0, 0, self.measurements.len() as u8]);
        report.extend(&((self.measurements.len() * 55) as u32).to_le_bytes()[..3]);
        for (index, value) in &self.measurements {
            report.extend([*index, 1, 51, 0, 1, 48, 0]);
            report.extend(value);
        }
        report.extend([8; 32]);
        let mut opaque = Vec::new();
        for (kind, value) in [(3_u16, &b"575.32\0"[..]), (20, &FIRMWARE)] {
            opaque.extend(kind.to_le_bytes());
            opaque.extend((value.len() as u16).to_le_bytes());
            opaque.extend(value);
        }
        report.extend((opaque.len() as u16).to_le_bytes());
        report.extend(opaque);
        report.extend(self.device.sign(&report));
        let certificates = vec![self.device.certificate.clone(), self.authority.clone()];
        super::body("nvidia", report, certificates)
    }
}

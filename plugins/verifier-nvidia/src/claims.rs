//! What the verdict says about the device.

use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::types::{Claim, Quote, Span, Value};

use crate::identity::{Identity, Kind};
use crate::malformed;
use crate::opaque::kind as field;
use crate::spdm::Report;

/// Fields of the opaque data that are text.
const TEXTS: [(u16, &str); 7] = [
    (field::CHIP_INFO, "chip_info"),
    (field::CHIP_SKU, "chip_sku"),
    (field::CHIP_SKU_MOD, "chip_sku_mod"),
    (field::DRIVER_VERSION, "driver_version"),
    (field::PROJECT, "project"),
    (field::PROJECT_SKU, "project_sku"),
    (field::PROJECT_SKU_MOD, "project_sku_mod"),
];

/// Fields that are given as they are.
const BYTES: [(u16, &str); 9] = [
    (field::BOARD_ID, "board_id"),
    (field::CPRINFO, "cpr_info"),
    (field::FLOORSWEPT_PORTS, "floorswept_ports"),
    (field::FWID, "fwid"),
    (field::GPU_INFO, "gpu_info"),
    (field::LOCK_SWITCH_STATUS, "lock_switch_status"),
    (field::POSITION_ID, "position_id"),
    (field::SWITCH_PDI, "switch_pdi"),
    (field::SYS_ENABLE_STATUS, "sys_enable_status"),
];

/// NVDEC0_STATUS and PROTECTED_PCIE_STATUS.
const ENABLED: u8 = 0xaa;
const DISABLED: u8 = 0x55;

/// FEATURE_FLAG: how many GPUs one guest has, and what protects what they say to each other.
const FEATURES: [&str; 3] = ["single", "multiple", "protected-pcie"];

/// Everything, under names of `nvidia`.
pub(crate) fn all(
    report: &Report<'_>,
    identity: &Identity,
    tee: &str,
) -> Result<Vec<Claim>, Rejection> {
    let mut claims = Claims { tee, found: Vec::new() };
    device(&mut claims, identity);
    claims.quote("nonce", report.nonce);
    for measurement in &report.measurements {
        claims.quote(&format!("measurement_{}", measurement.index), measurement.value);
    }
    let opaque = &report.opaque;
    for (kind, name) in TEXTS {
        if let Some(field) = opaque.field(kind) {
            claims.text(name, field.text().map_err(malformed)?);
        }
    }
    for (kind, name) in BYTES {
        if let Some(span) = opaque.field(kind).and_then(|field| field.span()) {
            claims.quote(name, span);
        }
    }
    if let Some(field) = opaque.field(field::VBIOS_VERSION) {
        claims.text("vbios_version", vbios(field.value).map_err(malformed)?.as_deref());
    }
    let switches = [
        (field::NVDEC0_STATUS, "nvdec0_enabled"),
        (field::PROTECTED_PCIE_STATUS, "protected_pcie"),
    ];
    for (kind, name) in switches {
        let on = match opaque.field(kind).map(|field| field.value) {
            Some([ENABLED]) => true,
            Some([DISABLED]) => false,
            // Another meaning, of a device or a time that is not known here.
            _ => continue,
        };
        claims.add(name, Value::Flag(on));
    }
    if let Some([low, high]) = opaque.field(field::FEATURE_FLAG).map(|field| field.value) {
        let number = u16::from_le_bytes([*low, *high]);
        let mode = FEATURES.get(usize::from(number)).copied().unwrap_or("unknown");
        claims.text("multi_gpu_mode", Some(mode));
    }
    if let Some([low, high]) = opaque.field(field::OPAQUE_DATA_VERSION).map(|field| field.value) {
        let version = u16::from_le_bytes([*low, *high]);
        claims.add("opaque_version", Value::Unsigned(version.into()));
    }
    Ok(claims.found)
}

fn device(claims: &mut Claims<'_>, identity: &Identity) {
    let kind = match identity.kind {
        Kind::Gpu => "gpu",
        Kind::Switch => "switch",
    };
    claims.text("arch", Some(identity.architecture));
    claims.text("kind", Some(kind));
    claims.text("product", Some(&identity.product));
    claims.text("serial", Some(&identity.serial));
    if let Some(firmware) = &identity.firmware {
        claims.add("certificate_fwid", Value::Bytes(firmware.id.clone()));
        if let Some(debug) = firmware.debug {
            claims.add("debug", Value::Flag(debug));
        }
    }
}

struct Claims<'a> {
    tee: &'a str,
    found: Vec<Claim>,
}

impl Claims<'_> {
    fn add(&mut self, name: &str, value: Value) {
        self.found.push(Claim { name: format!("{}.{name}", self.tee), value });
    }

    fn quote(&mut self, name: &str, at: Span) {
        self.add(name, Value::Quoted(Quote { statement: 0, at }));
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.add(name, Value::Text(text.to_owned()));
        }
    }
}

/// As NVIDIA writes it, `96.00.9F.00.01`. GPUs give 8 bytes: the first four backwards, and the fifth;
/// switches give the text.
fn vbios(value: &[u8]) -> Result<Option<String>, &'static str> {
    match *value {
        [fourth, third, second, first, fifth, 0, 0, 0] => {
            Ok(Some(format!("{first:02X}.{second:02X}.{third:02X}.{fourth:02X}.{fifth:02X}")))
        }
        _ if value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F' | b'.')) => {
            Ok(String::from_utf8(value.to_vec()).ok().filter(|text| !text.is_empty()))
        }
        _ => Err("the VBIOS version is none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Firmware;
    use crate::spdm::tests::report;

    fn identity() -> Identity {
        Identity {
            product: "GB100".into(),
            architecture: "BLACKWELL",
            kind: Kind::Gpu,
            serial: "48B02D".into(),
            firmware: Some(Firmware { id: vec![7; 48], debug: Some(false) }),
        }
    }

    fn claims(fields: &[(u16, &[u8])]) -> Vec<(String, String)> {
        let bytes = report(&[1, 36], fields);
        let report = Report::read(&bytes).unwrap();
        let claims = all(&report, &identity(), "nvidia").unwrap();
        let read = |at: Span| bytes[at.start as usize..][..at.length as usize].to_vec();
        let words = |value: Value| match value {
            Value::Text(text) => text,
            Value::Quoted(quote) => format!("{:?}", read(quote.at)),
            value => format!("{value:?}"),
        };
        claims.into_iter().map(|claim| (claim.name, words(claim.value))).collect()
    }

    fn found(claims: &[(String, String)], name: &str) -> Option<String> {
        let name = format!("nvidia.{name}");
        claims.iter().find(|(present, _)| *present == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn device_measurements_and_fields_are_claims() {
        let claims = claims(&[
            (3, b"575.32\0"),
            (6, &[0, 0x9f, 0, 0x96, 1, 0, 0, 0]),
            (11, &[0x55]),
            (14, &[1, 2]),
            (19, &[0, 0]),
            (20, &[7; 48]),
            (21, &[0xaa]),
            (36, &[2, 0]),
        ]);
        let found = |name| found(&claims, name);
        assert_eq!(found("driver_version").as_deref(), Some("575.32"));
        assert_eq!(found("vbios_version").as_deref(), Some("96.00.9F.00.01"));
        assert_eq!(found("nvdec0_enabled").as_deref(), Some("Value::Flag(false)"));
        assert_eq!(found("protected_pcie").as_deref(), Some("Value::Flag(true)"));
        assert_eq!(found("multi_gpu_mode").as_deref(), Some("protected-pcie"));
        assert_eq!(found("board_id").as_deref(), Some("[1, 2]"));
        assert_eq!(found("project_sku_mod"), None);
        assert_eq!(found("measurement_36"), Some(format!("{:?}", [36; 48])));
        assert_eq!(found("fwid"), Some(format!("{:?}", [7; 48])));
        assert_eq!(found("nonce"), Some(format!("{:?}", [7; 32])));
        assert_eq!(found("kind").as_deref(), Some("gpu"));
        assert_eq!(found("debug").as_deref(), Some("Value::Flag(false)"));
    }

    #[test]
    fn what_has_another_form_is_no_claim_or_refused() {
        let odd = claims(&[(11, &[7]), (36, &[9, 9]), (34, &[1])]);
        assert_eq!(found(&odd, "nvdec0_enabled"), None);
        assert_eq!(found(&odd, "multi_gpu_mode").as_deref(), Some("unknown"));
        assert_eq!(found(&odd, "opaque_version"), None);
        for fields in [(3, &b"5 7"[..]), (6, b"96-10"), (6, &[1, 2, 3, 4, 5, 6, 7, 8])] {
            let bytes = report(&[1], &[fields]);
            let report = Report::read(&bytes).unwrap();
            assert!(all(&report, &identity(), "nvidia").is_err(), "{fields:?}");
        }
    }

    #[test]
    fn a_switch_writes_its_vbios_version_out() {
        assert_eq!(vbios(b"96.10.55.00.01"), Ok(Some("96.10.55.00.01".into())));
        assert_eq!(vbios(b""), Ok(None));
    }
}

//! A report spelled out field by field, as the `sev` crate serialises it and Trustee sends it, put
//! back into the firmware's 1184 bytes.
//!
//! The signature is over the bytes, so a report that is put together wrongly is refused by the host.
//! What the spelling leaves out are reserved bytes, which the firmware writes as zeros. Older
//! versions of the crate name some fields otherwise; both are read.

use claviger_plugin_sdk::json::Value;

const SIZE: usize = 1184;

/// The raw report (AMD 56860, table 23 "ATTESTATION_REPORT"); the name of the first field that is
/// missing or is not what it should be.
pub(crate) fn report(fields: &Value<'_>) -> Result<Vec<u8>, &'static str> {
    let mut report = Report(vec![0; SIZE]);
    for (at, width, name) in [
        (0x00, 4, "version"),
        (0x04, 4, "guest_svn"),
        (0x08, 8, "policy"),
        (0x30, 4, "vmpl"),
        (0x34, 4, "sig_algo"),
        (0x40, 8, "plat_info"),
    ] {
        report.number(at, width, fields.member(name)).ok_or(name)?;
    }
    let key_info = fields.member("key_info").or_else(|| fields.member("_author_key_en"));
    report.number(0x48, 4, key_info).ok_or("key_info")?;
    for (at, length, name) in [
        (0x10, 16, "family_id"),
        (0x20, 16, "image_id"),
        (0x50, 64, "report_data"),
        (0x90, 48, "measurement"),
        (0xc0, 32, "host_data"),
        (0xe0, 48, "id_key_digest"),
        (0x110, 48, "author_key_digest"),
        (0x140, 32, "report_id"),
        (0x160, 32, "report_id_ma"),
        (0x1a0, 64, "chip_id"),
    ] {
        report.bytes(at, length, fields.member(name)).ok_or(name)?;
    }
    for (at, name) in [
        (0x38, "current_tcb"),
        (0x180, "reported_tcb"),
        (0x1e0, "committed_tcb"),
        (0x1f0, "launch_tcb"),
    ] {
        report.tcb(at, fields.member(name)).ok_or(name)?;
    }
    for (at, name, older) in [
        (0x1e8, "current", ["current_build", "current_minor", "current_major"]),
        (0x1ec, "committed", ["committed_build", "committed_minor", "committed_major"]),
    ] {
        let parts = match fields.member(name) {
            Some(version) => ["build", "minor", "major"].map(|part| version.member(part)),
            None => older.map(|part| fields.member(part)),
        };
        for (at, part) in (at..).zip(parts) {
            report.number(at, 1, part).ok_or(name)?;
        }
    }
    // Fields that came with later versions are null, or not there, before.
    for (at, width, name) in [
        (0x188, 1, "cpuid_fam_id"),
        (0x189, 1, "cpuid_mod_id"),
        (0x18a, 1, "cpuid_step"),
        (0x1f8, 8, "launch_mit_vector"),
        (0x200, 8, "current_mit_vector"),
    ] {
        if let Some(value) = fields.member(name).filter(|value| **value != Value::Null) {
            report.number(at, width, Some(value)).ok_or(name)?;
        }
    }
    let signature = |part| fields.member("signature").and_then(|value| value.member(part));
    report.bytes(0x2a0, 72, signature("r")).ok_or("signature")?;
    report.bytes(0x2e8, 72, signature("s")).ok_or("signature")?;
    Ok(report.0)
}

struct Report(Vec<u8>);

impl Report {
    fn put(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        self.0.get_mut(at..at.checked_add(bytes.len())?)?.copy_from_slice(bytes);
        Some(())
    }

    /// A number of `width` bytes, little-endian.
    fn number(&mut self, at: usize, width: usize, value: Option<&Value<'_>>) -> Option<()> {
        let Some(Value::Number(number)) = value else {
            return None;
        };
        let bytes = number.to_le_bytes();
        let (low, high) = bytes.split_at_checked(width)?;
        high.iter().all(|byte| *byte == 0).then(|| self.put(at, low))?
    }

    fn bytes(&mut self, at: usize, length: usize, value: Option<&Value<'_>>) -> Option<()> {
        let bytes = value?.bytes().filter(|bytes| bytes.len() == length)?;
        self.put(at, &bytes)
    }

    /// Where there is an FMC level, it is Turin's layout (AMD 56860, table 3 "TCB_VERSION").
    fn tcb(&mut self, at: usize, value: Option<&Value<'_>>) -> Option<()> {
        let value = value?;
        let turin = value.member("fmc").is_some_and(|fmc| *fmc != Value::Null);
        let places = match turin {
            true => &[(0, "fmc"), (1, "bootloader"), (2, "tee"), (3, "snp"), (7, "microcode")][..],
            false => &[(0, "bootloader"), (1, "tee"), (6, "snp"), (7, "microcode")],
        };
        places.iter().try_for_each(|(offset, part)| {
            self.number(at.checked_add(*offset)?, 1, value.member(part))
        })
    }
}

#[cfg(test)]
mod tests {
    use claviger_plugin_sdk::json;

    use super::*;

    fn list(byte: u8, length: usize) -> String {
        format!("{:?}", vec![byte; length])
    }

    fn tcb(fmc: &str) -> String {
        format!(r#"{{"fmc":{fmc},"bootloader":2,"tee":3,"snp":4,"microcode":5}}"#)
    }

    /// Every byte says which field it is of.
    fn spelled(fmc: &str) -> String {
        let tcb = tcb(fmc);
        [
            r#"{"version":5,"guest_svn":6,"policy":196608,"vmpl":1,"sig_algo":1,"plat_info":37,"key_info":4"#.to_owned(),
            format!(r#","family_id":{},"image_id":{}"#, list(10, 16), list(11, 16)),
            format!(r#","report_data":{},"measurement":{}"#, list(12, 64), list(13, 48)),
            format!(r#","host_data":{},"id_key_digest":{}"#, list(14, 32), list(15, 48)),
            format!(r#","author_key_digest":{},"report_id":{}"#, list(16, 48), list(17, 32)),
            format!(r#","report_id_ma":{},"chip_id":{}"#, list(18, 32), list(19, 64)),
            format!(r#","current_tcb":{tcb},"reported_tcb":{tcb}"#),
            format!(r#","committed_tcb":{tcb},"launch_tcb":{tcb}"#),
            r#","cpuid_fam_id":25,"cpuid_mod_id":17,"cpuid_step":1"#.to_owned(),
            r#","current":{"major":1,"minor":55,"build":42},"committed":{"major":1,"minor":55,"build":41}"#.to_owned(),
            r#","launch_mit_vector":258,"current_mit_vector":515"#.to_owned(),
            format!(r#","signature":{{"r":{},"s":{}}}}}"#, list(20, 72), list(21, 72)),
        ]
        .concat()
    }

    fn read(text: &str) -> Result<Vec<u8>, &'static str> {
        report(&json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn every_field_comes_to_its_place() {
        let report = read(&spelled("null")).unwrap();
        assert_eq!(report.len(), SIZE);
        for (at, bytes) in [
            (0x00, &[5, 0, 0, 0][..]),
            (0x04, &[6, 0, 0, 0]),
            (0x08, &[0, 0, 3, 0, 0, 0, 0, 0]),
            (0x10, &[10; 16]),
            (0x20, &[11; 16]),
            (0x30, &[1, 0, 0, 0, 1, 0, 0, 0]),
            (0x38, &[2, 3, 0, 0, 0, 0, 4, 5]),
            (0x40, &[37, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]),
            (0x50, &[12; 64]),
            (0x90, &[13; 48]),
            (0xc0, &[14; 32]),
            (0xe0, &[15; 48]),
            (0x110, &[16; 48]),
            (0x140, &[17; 32]),
            (0x160, &[18; 32]),
            (0x180, &[2, 3, 0, 0, 0, 0, 4, 5, 25, 17, 1, 0]),
            (0x1a0, &[19; 64]),
            (0x1e0, &[2, 3, 0, 0, 0, 0, 4, 5, 42, 55, 1, 0, 41, 55, 1, 0]),
            (0x1f0, &[2, 3, 0, 0, 0, 0, 4, 5, 2, 1, 0, 0, 0, 0, 0, 0, 3, 2]),
            (0x2a0, &[20; 72]),
            (0x2e8, &[21; 72]),
        ] {
            assert_eq!(&report[at..at + bytes.len()], bytes, "{at:#x}");
        }
        let turin = read(&spelled("1")).unwrap();
        assert_eq!(turin[0x180..0x188], [1, 2, 3, 4, 0, 0, 0, 5]);
    }

    #[test]
    fn the_older_spelling_comes_to_the_same() {
        let older = spelled("null")
            .replace("key_info", "_author_key_en")
            .replace(r#""fmc":null,"#, r#""_reserved":[0,0,0,0],"#)
            .replace(
                r#""current":{"major":1,"minor":55,"build":42}"#,
                r#""current_build":42,"current_minor":55,"current_major":1"#,
            )
            .replace(
                r#""committed":{"major":1,"minor":55,"build":41}"#,
                r#""committed_build":41,"committed_minor":55,"committed_major":1"#,
            );
        assert_eq!(read(&older), read(&spelled("null")));
    }

    #[test]
    fn a_field_that_is_missing_or_out_of_range_is_named() {
        let whole = spelled("null");
        for (name, from, to) in [
            ("version", r#""version":5"#, r#""version":4294967296"#),
            ("vmpl", r#""vmpl":1"#, r#""vmpl":null"#),
            ("reported_tcb", r#""reported_tcb":{"fmc":null,"#, r#""reported_tcb":{"fmc":256,"#),
            ("signature", r#""signature""#, r#""signatures""#),
            ("cpuid_step", r#""cpuid_step":1"#, r#""cpuid_step":"1""#),
            ("current", r#""minor":55,"build":42"#, r#""build":42"#),
            ("chip_id", r#""chip_id":["#, r#""chip_id":[0,"#),
        ] {
            assert_eq!(read(&whole.replace(from, to)), Err(name));
        }
    }
}

use super::*;

/// Of `ima-ng` in both forms: the list's digest is of SHA-1, and not looked at.
fn both(path: &str, file: u8) -> (Vec<u8>, String) {
    let digest = [b"sha256:\0".as_slice(), &[file; 32]].concat();
    let name = [path.as_bytes(), &[0]].concat();
    let data = template_data("ima-ng", &[&digest, &name]).unwrap();
    let mut binary = PCR.to_le_bytes().to_vec();
    binary.extend([1; 20]);
    binary.extend(6_u32.to_le_bytes());
    binary.extend(b"ima-ng");
    binary.extend((data.len() as u32).to_le_bytes());
    binary.extend(data);
    let file = crate::hex::encode(&[file; 32]);
    (binary, format!("10 {} ima-ng sha256:{file} {path}\n", "01".repeat(20)))
}

#[test]
fn both_forms_say_the_same() {
    let (first, second) = (both("boot_aggregate", 7), both("/usr/bin/env", 8));
    let binary = [first.0, second.0].concat();
    let text = first.1 + &second.1;
    let entries = read(&binary).unwrap();
    assert_eq!(read(text.as_bytes()).unwrap(), entries);
    assert!(may_be(&binary) && may_be(text.as_bytes()));
    assert!(entries[0].is_boot_aggregate() && !entries[1].is_boot_aggregate());
    assert_eq!(entries[1].path.as_deref(), Some("/usr/bin/env"));
    let digest = format!("sha256:{}", "08".repeat(32));
    assert_eq!(entries[1].digest.as_deref(), Some(digest.as_str()));
    for length in 1..binary.len() {
        let cut = read(&binary[..length]);
        assert!(cut.is_err() || cut.is_ok_and(|entries| entries.len() == 1), "{length}");
    }
}

#[test]
fn the_templates_of_older_kernels_and_of_signatures_are_read() {
    let line = format!("10 {} ima {} /bin/sh\n", "01".repeat(20), "0a".repeat(20));
    let old = &read(line.as_bytes()).unwrap()[0];
    let filled = [vec![10; 20], b"/bin/sh".to_vec(), vec![0; 249]].concat();
    assert_eq!(old.extension(), sha256::digest(&filled));
    let mut binary = PCR.to_le_bytes().to_vec();
    binary.extend([1; 20]);
    binary.extend([3, 0, 0, 0]);
    binary.extend(b"ima");
    binary.extend([10; 20]);
    binary.extend([7, 0, 0, 0]);
    binary.extend(b"/bin/sh");
    assert_eq!(read(&binary).unwrap(), std::slice::from_ref(old));

    let file = "0b".repeat(32);
    let line = |end: &str| format!("10 {} ima-sig sha256:{file} /bin/sh{end}\n", "01".repeat(20));
    let signed = &read(line(" 0302aa").as_bytes()).unwrap()[0];
    let bare = &read(line("").as_bytes()).unwrap()[0];
    assert_eq!(read(line(" ").as_bytes()).unwrap(), std::slice::from_ref(bare));
    assert_ne!(signed.extension(), bare.extension());
}

#[test]
fn a_violation_extends_by_ones() {
    let (_, line) = both("/tmp/open", 1);
    let line = line.replacen(&"01".repeat(20), &"00".repeat(20), 1);
    let entry = &read(line.as_bytes()).unwrap()[0];
    assert!(entry.is_violation());
    assert_eq!(entry.extension(), [0xff; 32]);
}

#[test]
fn a_list_leads_to_a_value_by_its_first_entries_and_by_no_others() {
    let text: String = ["a", "b", "c"].iter().map(|path| both(path, 1).1).collect();
    let entries = read(text.as_bytes()).unwrap();
    let extend = |register: [u8; 32], entry: &Entry| {
        sha256::digest(&[register.as_slice(), &entry.extension()].concat())
    };
    let two = entries[..2].iter().fold([0; 32], extend);
    assert_eq!(leading_to(&entries, &two), Some(2));
    assert_eq!(leading_to(&entries[1..], &two), None);
    assert_eq!(leading_to(&entries, &[0; 32]), None);
}

#[test]
fn a_boot_aggregate_is_of_ten_registers_or_of_eight() {
    let registers = [[3; 32]; 10];
    let registers: Vec<&[u8]> = registers.iter().map(<[u8; 32]>::as_slice).collect();
    for count in [8, 10] {
        let digest = sha256::digest(&registers[..count].concat());
        let text = format!("sha256:{}", crate::hex::encode(&digest));
        assert!(is_aggregate_of(&text, &registers), "{count}");
        assert!(!is_aggregate_of(&text, &registers[..7]));
        assert!(!is_aggregate_of(&text.replace("sha256", "sha1"), &registers));
    }
}

#[test]
fn what_is_another_form_is_refused() {
    for wrong in [
        "",
        "10",
        "11 0101010101010101010101010101010101010101 ima-ng sha256:00 /a",
        "10 01 ima-ng sha256:00 /a",
        "10 0101010101010101010101010101010101010101 ima-ng sha256:0g /a",
        "10 0101010101010101010101010101010101010101 ima-ng sha256 /a",
        "10 0101010101010101010101010101010101010101 ima-ng sha256:00 /a b",
        "10 0101010101010101010101010101010101010101 ima-buf sha256:00 /a b",
        "10 0101010101010101010101010101010101010101 ima 00 /a",
    ] {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

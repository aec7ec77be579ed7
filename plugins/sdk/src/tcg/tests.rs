//! Logs that are written here byte by byte, whole and broken.

use super::*;

/// TCG_PCClientPCREvent.
fn first(register: u32, kind: u32, digest: [u8; 20], data: &[u8]) -> Vec<u8> {
    let mut event = [register.to_le_bytes(), kind.to_le_bytes()].concat();
    event.extend(digest);
    event.extend((data.len() as u32).to_le_bytes());
    event.extend(data);
    event
}

/// TCG_EfiSpecIDEvent with these algorithms.
fn identification(banks: &[(u16, u16)]) -> Vec<u8> {
    let mut data = b"Spec ID Event03\0".to_vec();
    data.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    data.extend((banks.len() as u32).to_le_bytes());
    for (number, size) in banks {
        data.extend(number.to_le_bytes());
        data.extend(size.to_le_bytes());
    }
    data.push(0);
    first(0, kind::NO_ACTION, [0; 20], &data)
}

/// TCG_PCR_EVENT2 with a SHA-1 and a SHA-256 of these bytes.
fn event(register: u32, kind: u32, digest: u8, data: &[u8]) -> Vec<u8> {
    let mut event = [register, kind, 2].map(u32::to_le_bytes).concat();
    event.extend([4, 0]);
    event.extend([digest; 20]);
    event.extend([11, 0]);
    event.extend([digest; 32]);
    event.extend((data.len() as u32).to_le_bytes());
    event.extend(data);
    event
}

fn agile(events: &[Vec<u8>]) -> Vec<u8> {
    [identification(&[(4, 20), (11, 32)]), events.concat()].concat()
}

fn variable(name: &str, value: &[u8]) -> Vec<u8> {
    let mut data = vec![7; 16];
    data.extend((name.len() as u64).to_le_bytes());
    data.extend((value.len() as u64).to_le_bytes());
    data.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    data.extend(value);
    data
}

#[test]
fn events_are_read_with_their_digests() {
    let log = agile(&[event(4, kind::ACTION, 1, b"a"), event(7, kind::SEPARATOR, 2, &[0; 4])]);
    let log = EventLog::read(&log).unwrap();
    assert!(log.is_crypto_agile() && log.has(Bank::Sha256) && !log.has(Bank::Sha384));
    let events: Vec<_> = log.events().collect();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].register, events[0].data), (4, &b"a"[..]));
    assert_eq!(events[1].digest(Bank::Sha256), Some(&[2; 32][..]));
    assert_eq!(events[1].digest(Bank::Sha384), None);
}

#[test]
fn a_log_of_the_older_form_has_sha_1_alone() {
    let log = [first(0, 8, [1; 20], b"v"), first(4, 5, [2; 20], b"")].concat();
    let log = EventLog::read(&log).unwrap();
    assert!(!log.is_crypto_agile() && !log.has(Bank::Sha256));
    assert_eq!(log.events().count(), 2);
    assert!(log.register(0, Bank::Sha256).is_err());
    assert_eq!(log.register(4, Bank::Sha1).unwrap().entries, [[2; 20]]);
}

#[test]
fn a_cut_log_is_malformed_and_padding_is_none() {
    let one = agile(&[event(4, kind::ACTION, 1, b"abc")]);
    let log = agile(&[event(4, kind::ACTION, 1, b"abc"), event(5, kind::ACTION, 2, b"xyz")]);
    for length in 0..log.len() {
        // Between two events a log cannot tell that it was cut: its registers do.
        let whole = length == one.len() || length == identification(&[(4, 20), (11, 32)]).len();
        assert_eq!(EventLog::read(&log[..length]).is_ok(), whole, "{length}");
    }
    for filler in [0, 0xff] {
        let padded = [log.clone(), vec![filler; 100]].concat();
        assert_eq!(EventLog::read(&padded).unwrap().events().count(), 2);
    }
    let behind = EventLog::read(&[log.clone(), vec![1; 100]].concat()).unwrap_err();
    assert_eq!(behind.at, log.len());
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let huge = |place: usize| {
        let mut log = agile(&[event(4, kind::ACTION, 1, b"abc")]);
        let at = identification(&[(4, 20), (11, 32)]).len() + place;
        log[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        EventLog::read(&log).unwrap_err().why
    };
    assert!(huge(8).contains("no digests"));
    assert!(huge(8 + 4 + 22 + 34).contains("not whole"));
    for banks in [&[][..], &[(11, 31)], &[(11, 32), (11, 32)], &[(4, 20); 9]] {
        assert!(EventLog::read(&identification(banks)).is_err(), "{banks:?}");
    }
    let twice = {
        let mut log = agile(&[event(4, kind::ACTION, 1, b"abc")]);
        let at = identification(&[(4, 20), (11, 32)]).len() + 12 + 22;
        log[at] = 4;
        EventLog::read(&log).unwrap_err().why
    };
    assert!(twice.contains("twice") || twice.contains("not whole"), "{twice}");
    assert!(EventLog::read(&vec![0; (1 << 20) + 1]).is_err());
    assert!(EventLog::read(&[]).is_err());
}

#[test]
fn a_log_of_a_trust_domain_begins_with_its_first_register() {
    let mut log = agile(&[event(1, kind::ACTION, 1, b"a")]);
    log[0] = 1;
    assert_eq!(EventLog::read(&log).unwrap().events().count(), 1);
    log[0] = 2;
    assert!(EventLog::read(&log).is_err());
}

#[test]
fn a_log_does_not_begin_with_a_remark_of_another_kind() {
    let log = first(0, kind::NO_ACTION, [0; 20], b"StartupLocality\0\x03");
    assert!(EventLog::read(&log).is_err());
    assert!(EventLog::read(&first(0, kind::NO_ACTION, [0; 20], b"short")).is_err());
}

#[test]
fn remarks_extend_nothing_and_the_locality_begins_pcr_0() {
    let locality = event(0, kind::NO_ACTION, 0, b"StartupLocality\0\x03");
    let log = agile(&[
        locality.clone(),
        event(0, kind::NO_ACTION, 9, b"SP800-155 Event3"),
        event(0, kind::ACTION, 1, b""),
        event(1, kind::ACTION, 2, b""),
    ]);
    let log = EventLog::read(&log).unwrap();
    let zero = log.register(0, Bank::Sha256).unwrap();
    assert_eq!(zero.entries, [[1; 32]]);
    assert_eq!(zero.initial, [&[0; 31][..], &[3]].concat());
    assert_eq!(log.register(1, Bank::Sha256).unwrap().initial, [0; 32]);
    assert_eq!(log.register(17, Bank::Sha256).unwrap().initial, [0xff; 32]);
    let other = event(0, kind::NO_ACTION, 0, b"StartupLocality\0\x00");
    let two = agile(&[locality, other]);
    assert!(EventLog::read(&two).unwrap().register(0, Bank::Sha256).is_err());
}

#[test]
fn a_measured_variable_is_read() {
    let log =
        agile(&[event(7, kind::EFI_VARIABLE_DRIVER_CONFIG, 1, &variable("SecureBoot", &[1]))]);
    let log = EventLog::read(&log).unwrap();
    let found = log.events().next().unwrap().variable().unwrap();
    assert!(found.is_called("SecureBoot") && !found.is_called("SecureBoo"));
    assert_eq!(found.data, [1]);
    let mut cut = variable("SecureBoot", &[1]);
    cut[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let log = agile(&[event(7, kind::EFI_VARIABLE_DRIVER_CONFIG, 1, &cut)]);
    assert!(EventLog::read(&log).unwrap().events().next().unwrap().variable().is_none());
}

/// UEFI_VARIABLE_DATA of the global variable `SecureBoot`.
fn secure_boot(value: &[u8]) -> Vec<u8> {
    let mut data = variable("SecureBoot", value);
    let global = [
        0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
        0x8c,
    ];
    data[..16].copy_from_slice(&global);
    data
}

#[test]
fn secure_boot_is_what_the_firmware_said_before_its_separator() {
    let separator = |value: u32| {
        let data = value.to_le_bytes();
        let mut event = event(7, kind::SEPARATOR, 0, &data);
        let at = event.len() - 8 - 32;
        event[at..at + 32].copy_from_slice(&crate::sha256::digest(&data));
        event
    };
    let said = |value: &[u8]| event(7, kind::EFI_VARIABLE_DRIVER_CONFIG, 1, &secure_boot(value));
    let found = |events: &[Vec<u8>], genuine: &[u32]| {
        let log = agile(events);
        let log = EventLog::read(&log).unwrap();
        let register = log.register(7, Bank::Sha256).unwrap();
        register.secure_boot(Bank::Sha256, |number, _| genuine.contains(&number))
    };
    let [on, off] = [said(&[1]), said(&[0])];
    for value in [0, u32::MAX, 1] {
        assert_eq!(found(&[on.clone(), separator(value)], &[0]), Some(true));
        assert_eq!(found(&[off.clone(), separator(value), on.clone()], &[0, 2]), Some(false));
        assert_eq!(found(&[separator(value), on.clone()], &[0, 1]), None);
    }
    assert_eq!(found(&[on.clone(), off.clone(), separator(0)], &[0, 1]), Some(false));
    assert_eq!(found(&[off, on.clone(), separator(0)], &[0, 1]), Some(false));
    assert_eq!(found(&[said(&[1, 0]), separator(0)], &[0]), Some(false));
    // Not what was digested; no separator, or one in name alone; a variable of that name elsewhere.
    assert_eq!(found(&[on.clone(), separator(0)], &[]), None);
    assert_eq!(found(std::slice::from_ref(&on), &[0]), None);
    assert_eq!(found(&[on, event(7, kind::SEPARATOR, 2, &[0; 4])], &[0]), None);
    let other = event(7, kind::EFI_VARIABLE_DRIVER_CONFIG, 1, &variable("SecureBoot", &[1]));
    assert_eq!(found(&[other, separator(0)], &[0]), None);
}

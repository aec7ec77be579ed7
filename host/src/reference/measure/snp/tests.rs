//! The values that the crate `sev` 8.0.0 publishes in `tests/measurement.rs`, over the two ends of
//! OVMF that come with it (virtee/sev, Apache-2.0).

use data_encoding::HEXLOWER;

use super::*;

const AMD_SEV: &[u8] = include_bytes!("ovmf_AmdSev_suffix.bin");
const X64: &[u8] = include_bytes!("ovmf_OvmfX64_suffix.bin");

fn launch(firmware: &[u8]) -> Launch<'_> {
    Launch {
        firmware,
        vcpus: 1,
        vcpu: CpuType::named("EPYC-v4").unwrap(),
        vmm: Vmm::Qemu,
        features: 0x1,
        kernel: None,
    }
}

fn kernel(command_line: &str) -> Option<Kernel<'_>> {
    Some(Kernel { image: &[], initrd: &[], command_line })
}

#[test]
fn a_launch_measures_what_the_published_values_say() {
    let console = "console=ttyS0 loglevel=7";
    for (launch, expected) in [
        (
            launch(AMD_SEV),
            "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d",
        ),
        (
            Launch { features: 0x21, ..launch(AMD_SEV) },
            "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b",
        ),
        (
            Launch { kernel: kernel(console), ..launch(AMD_SEV) },
            "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa",
        ),
        (
            Launch { kernel: kernel(console), features: 0x21, ..launch(AMD_SEV) },
            "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977",
        ),
        (
            Launch { kernel: kernel(""), vcpus: 4, ..launch(AMD_SEV) },
            "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5",
        ),
        (
            Launch { kernel: kernel(""), vcpus: 4, features: 0x21, ..launch(AMD_SEV) },
            "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942",
        ),
        (
            Launch { kernel: kernel(""), vmm: Vmm::Ec2, ..launch(AMD_SEV) },
            "7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be",
        ),
        (
            Launch { kernel: kernel(""), vmm: Vmm::Ec2, features: 0x21, ..launch(AMD_SEV) },
            "6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6",
        ),
        (
            launch(X64),
            "da0296de8193586a5512078dcd719eccecbd87e2b825ad4148c44f665dc87df21e5b49e21523a9ad993afdb6a30b4005",
        ),
        (
            Launch { features: 0x21, ..launch(X64) },
            "28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b493d8a64c385",
        ),
    ] {
        assert_eq!(HEXLOWER.encode(&launch.measurement().unwrap()), expected, "{:?}", launch.vmm);
    }
}

#[test]
fn what_cannot_be_measured_is_not_guessed() {
    let kernel = Launch { kernel: kernel(""), ..launch(X64) };
    assert!(kernel.measurement().unwrap_err().to_string().contains("no page for the hashes"));
    assert!(Launch { vcpus: 0, ..launch(X64) }.measurement().is_err());
    assert!(launch(&[]).measurement().is_err());
    assert!(launch(&[0; PAGE]).measurement().is_err());
    assert!(launch(&X64[..PAGE - 1]).measurement().is_err());
    for damaged in 0..PAGE {
        let mut firmware = X64.to_vec();
        firmware[damaged] ^= 0xff;
        // Another value, or none; no panic.
        assert_ne!(launch(&firmware).measurement(), launch(X64).measurement(), "{damaged}");
    }
}

#[test]
fn a_processor_is_known_by_qemus_name() {
    assert_eq!(CpuType::named("EPYC-Milan-v2"), Some(CpuType::signature(25, 1, 1)));
    assert_eq!(CpuType::named("epyc-genoa"), CpuType::named("EPYC-Genoa-v1"));
    for unknown in ["", "EPYC-", "EPYC-v0", "EPYC-v01", "EPYC-v5", "EPYC-IBPB-v1", "Skylake"] {
        assert_eq!(CpuType::named(unknown), None, "{unknown}");
    }
}

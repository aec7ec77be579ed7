//! Where the byte strings of the reports that the host checks itself stand in their statements. The host tells
//! them to policies as facts; a plugin that needs one reads it: `report.statement.read(snp::MEASUREMENT)`.

/// Fields of an SEV-SNP report (AMD 56860, table 23 "ATTESTATION_REPORT").
pub mod snp {
    use crate::verifier::types::Span;

    /// FAMILY_ID: whoever launched the guest chose it.
    pub const FAMILY_ID: Span = Span { start: 0x10, length: 16 };
    /// IMAGE_ID: likewise.
    pub const IMAGE_ID: Span = Span { start: 0x20, length: 16 };
    /// REPORT_DATA: what the guest asked to have signed.
    pub const REPORT_DATA: Span = Span { start: 0x50, length: 64 };
    /// MEASUREMENT: of the guest at its launch.
    pub const MEASUREMENT: Span = Span { start: 0x90, length: 48 };
    /// HOST_DATA: what the hypervisor gave at launch.
    pub const HOST_DATA: Span = Span { start: 0xc0, length: 32 };
    /// ID_KEY_DIGEST: SHA-384 of the key that signed the ID block; zeros where there is none.
    pub const ID_KEY_DIGEST: Span = Span { start: 0xe0, length: 48 };
    /// AUTHOR_KEY_DIGEST: SHA-384 of the key that certified that one; zeros where there is none.
    pub const AUTHOR_KEY_DIGEST: Span = Span { start: 0x110, length: 48 };
    /// REPORT_ID: the guest's, as long as it runs.
    pub const REPORT_ID: Span = Span { start: 0x140, length: 32 };
    /// CHIP_ID; zeros where the platform masks it.
    pub const CHIP_ID: Span = Span { start: 0x1a0, length: 64 };
}

/// Fields of what a quote of Intel's (DCAP) is about, from where its body begins (`body-at`).
pub mod dcap {
    use crate::verifier::types::Span;

    /// The field in the statement.
    #[must_use]
    pub fn within(body_at: u32, field: Span) -> Span {
        Span { start: body_at.saturating_add(field.start), ..field }
    }

    /// An enclave's report (Intel SGX DCAP Quote Generation Library Reference, appendix A.4).
    pub mod enclave {
        use super::Span;

        /// CPUSVN.
        pub const CPUSVN: Span = Span { start: 0, length: 16 };
        /// MRENCLAVE: of the enclave as it was built.
        pub const MRENCLAVE: Span = Span { start: 64, length: 32 };
        /// MRSIGNER: SHA-256 of its signer's key.
        pub const MRSIGNER: Span = Span { start: 128, length: 32 };
        /// CONFIGID.
        pub const CONFIGID: Span = Span { start: 192, length: 64 };
        /// REPORTDATA: what the enclave asked to have signed.
        pub const REPORTDATA: Span = Span { start: 320, length: 64 };
    }

    /// A TD report (Intel TDX DCAP Quoting Library API, appendix A.3.2 and A.3.3).
    pub mod td {
        use super::Span;

        /// TEE_TCB_SVN.
        pub const TEE_TCB_SVN: Span = Span { start: 0, length: 16 };
        /// MRSEAM: of the TDX module.
        pub const MRSEAM: Span = Span { start: 16, length: 48 };
        /// MRSIGNERSEAM: zeros for Intel.
        pub const MRSIGNERSEAM: Span = Span { start: 64, length: 48 };
        /// MRTD: of the TD as it was built.
        pub const MRTD: Span = Span { start: 136, length: 48 };
        /// MRCONFIGID: whoever launched the TD chose it, and the next two.
        pub const MRCONFIGID: Span = Span { start: 184, length: 48 };
        /// MROWNER.
        pub const MROWNER: Span = Span { start: 232, length: 48 };
        /// MROWNERCONFIG.
        pub const MROWNERCONFIG: Span = Span { start: 280, length: 48 };
        /// RTMR0 to RTMR3: what the TD measured while it started.
        pub const RTMR: [Span; 4] = [
            Span { start: 328, length: 48 },
            Span { start: 376, length: 48 },
            Span { start: 424, length: 48 },
            Span { start: 472, length: 48 },
        ];
        /// REPORTDATA: what the TD asked to have signed.
        pub const REPORTDATA: Span = Span { start: 520, length: 64 };
        /// TEE_TCB_SVN_2, of TDX 1.5.
        pub const TEE_TCB_SVN_2: Span = Span { start: 584, length: 16 };
        /// MRSERVICETD, of TDX 1.5.
        pub const MRSERVICETD: Span = Span { start: 600, length: 48 };
    }
}

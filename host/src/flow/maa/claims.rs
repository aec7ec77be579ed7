//! What the host read in a report, under the names that Microsoft Azure Attestation has for it ("Claim
//! sets", and the examples of tokens for each type). Only facts of the host's own come in.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Map, Value as Json, json};

use super::guest::Guest;
use super::request::{AttestationKind, AttestationRules};
use super::witness::Witnessed;
use crate::audit::Digest;
use crate::claim::Value;

/// The claims of the evidence. `quote`: as it came.
pub(super) fn of(
    kind: AttestationKind,
    witnessed: &Witnessed,
    quote: &[u8],
    guest: Option<&Guest>,
    rules: &AttestationRules,
) -> Map<String, Json> {
    let facts = Facts(witnessed);
    let mut claims = Map::new();
    claims.insert("x-ms-attestation-type".to_owned(), kind.claim().into());
    match kind {
        AttestationKind::SevSnpVm => facts.table("snp.", SNP, "x-ms-sevsnpvm-", &mut claims),
        AttestationKind::TdxVm => facts.tdx(&mut claims),
        AttestationKind::OpenEnclave | AttestationKind::SgxEnclave => facts.sgx(quote, &mut claims),
        AttestationKind::AzureGuest => {
            let mut hardware = Map::new();
            match witnessed.main.appraisal.tee.as_str() {
                "az-tdx" => facts.tdx(&mut hardware),
                _ => facts.table("snp.", SNP, "x-ms-sevsnpvm-", &mut hardware),
            }
            if let Some(guest) = guest {
                guest.claims(witnessed, hardware, rules.vm_status.as_deref(), &mut claims);
            }
        }
        AttestationKind::Tpm => {}
    }
    claims
}

/// Fact, claim.
type Table = &'static [(&'static str, &'static str)];

const SNP: Table = &[
    ("author_key_digest", "authorkeydigest"),
    ("reported_tcb_bootloader", "bootloader-svn"),
    ("family_id", "familyId"),
    ("guest_svn", "guestsvn"),
    ("host_data", "hostdata"),
    ("id_key_digest", "idkeydigest"),
    ("image_id", "imageId"),
    ("policy_debug", "is-debuggable"),
    ("measurement", "launchmeasurement"),
    ("reported_tcb_microcode", "microcode-svn"),
    ("policy_migration_agent", "migration-allowed"),
    ("report_data", "reportdata"),
    ("report_id", "reportid"),
    ("policy_smt_allowed", "smt-allowed"),
    ("reported_tcb_snp", "snpfw-svn"),
    ("reported_tcb_tee", "tee-svn"),
    ("vmpl", "vmpl"),
];

const TDX: Table = &[
    ("mrconfigid", "mrconfigid"),
    ("mrowner", "mrowner"),
    ("mrownerconfig", "mrownerconfig"),
    ("mrseam", "mrseam"),
    ("mrsignerseam", "mrsignerseam"),
    ("mrtd", "mrtd"),
    ("report_data", "report_data"),
    ("rtmr0", "rtmr0"),
    ("rtmr1", "rtmr1"),
    ("rtmr2", "rtmr2"),
    ("rtmr3", "rtmr3"),
    ("seam_attributes", "seam_attributes"),
    ("td_attributes", "td_attributes"),
    ("td_attributes_debug", "td_attributes_debug"),
    ("td_attributes_key_locker", "td_attributes_key_locker"),
    ("td_attributes_perfmon", "td_attributes_perfmon"),
    ("td_attributes_pks", "td_attributes_protection_keys"),
    ("td_attributes_sept_ve_disable", "td_attributes_septve_disable"),
    ("tee_tcb_svn", "tee_tcb_svn"),
    ("xfam", "xfam"),
];

const SGX: Table = &[
    ("attributes_debug", "is-debuggable"),
    ("config_id", "config-id"),
    ("config_svn", "config-svn"),
    ("isv_ext_prod_id", "isv-extended-product-id"),
    ("isv_family_id", "isv-family-id"),
    ("isv_prod_id", "product-id"),
    ("isv_svn", "svn"),
    ("mrenclave", "mrenclave"),
    ("mrsigner", "mrsigner"),
    ("report_data", "report-data"),
];

struct Facts<'a>(&'a Witnessed);

impl Facts<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        let facts = &self.0.main.subject.facts;
        facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
    }

    fn table(&self, format: &str, table: Table, prefix: &str, claims: &mut Map<String, Json>) {
        for (fact, claim) in table {
            if let Some(value) = self.value(&format!("{format}{fact}")) {
                claims.insert(format!("{prefix}{claim}"), plain(value));
            }
        }
    }

    fn tdx(&self, claims: &mut Map<String, Json>) {
        self.table("tdx.", TDX, "tdx_", claims);
        let debug = self.value("tdx.td_attributes_debug") == Some(&Value::Flag(false));
        claims.insert("dbgstat".to_owned(), if debug { "disabled" } else { "enabled" }.into());
        let profile = "https://aka.ms/maa-eat-profile-tdxvm";
        claims.insert("eat_profile".to_owned(), profile.into());
        claims.insert("intuse".to_owned(), "generic".into());
        if let Some(status) = self.value("tdx.tcb_status") {
            claims.insert("attester_tcb_status".to_owned(), plain(status));
        }
        // The first two bytes, the least significant first.
        if let Some(Value::Bytes(bytes)) = self.value("tdx.tee_tcb_svn")
            && let Some((low, _)) = bytes.split_first_chunk::<2>()
        {
            claims.insert("tdx_seamsvn".to_owned(), u16::from_le_bytes(*low).into());
        }
    }

    fn sgx(&self, quote: &[u8], claims: &mut Map<String, Json>) {
        self.table("sgx.", SGX, "x-ms-sgx-", claims);
        let collateral = json!({"quotehash": HEXLOWER.encode(&Digest::of(quote).0)});
        claims.insert("x-ms-sgx-collateral".to_owned(), collateral.clone());
        claims.insert("maa-attestationcollateral".to_owned(), collateral);
    }
}

/// Runtime data that is not JSON, as enclaves' tokens have it.
pub(super) fn held_data(bytes: &[u8], claims: &mut Map<String, Json>) {
    let data = BASE64URL_NOPAD.encode(bytes);
    for name in ["aas-ehd", "maa-ehd", "x-ms-sgx-ehd"] {
        claims.insert(name.to_owned(), data.as_str().into());
    }
}

fn plain(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

//! Recorded SNP evidence, as these tests look at it.

use claviger_tests::vectors;
use serde_json::Value;

use super::super::snp::Product;
use super::super::{Authority, Revocation};
use crate::clock::Timestamp;

/// One case of recorded SNP evidence: a raw report with its certificates, or certificates alone.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) expected: Value,
    pub(super) verdict: String,
    pub(super) report: Option<Vec<u8>>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) at: Timestamp,
    products: Vec<Product>,
    pub(super) roots: Vec<Vec<u8>>,
}

impl Case {
    fn of(name: String, case: &vectors::Case) -> Self {
        let raw = |file: &&vectors::File| !file.bytes.trim_ascii_start().starts_with(b"{");
        let named = |product: &Product| {
            let name = product.name().to_lowercase();
            case.roots.iter().any(|root| root.path.to_lowercase().contains(&name))
        };
        let trial = case.trials().swap_remove(0);
        Self {
            name,
            report: case.evidence.iter().find(raw).map(|file| file.bytes.clone()),
            certificates: case.certificates.iter().map(|file| file.bytes.clone()).collect(),
            at: trial.at.map_or(Timestamp(1_767_225_600), |at| Timestamp(at.0)),
            verdict: trial.verdict,
            products: Product::ALL.into_iter().filter(named).collect(),
            roots: case.roots.iter().filter_map(|root| root.bytes.clone()).collect(),
            expected: case.expected.clone(),
        }
    }

    pub(super) fn is_genuine(&self) -> bool {
        matches!(self.verdict.as_str(), "valid" | "debug")
    }

    /// Trusts the product lines whose roots the case names; revocation waived, for want of lists.
    pub(super) fn authority(&self) -> Authority {
        let builder = Authority::builder().revocation(Revocation::Waived);
        match self.products.as_slice() {
            [] => builder.build().unwrap(),
            products => builder.products(products).build().unwrap(),
        }
    }
}

/// Every case of SNP evidence in a raw form, and of certificates alone.
pub(super) fn cases() -> Vec<Case> {
    let Some(folder) = vectors::folder() else {
        return Vec::new();
    };
    let cases = vectors::cases(&folder).into_iter().map(|(name, case)| (name, case.unwrap()));
    cases
        .filter(|(_, case)| case.tee() == "snp")
        .filter(|(_, case)| {
            case.evidence.is_empty() || Case::of(String::new(), case).report.is_some()
        })
        .map(|(name, case)| Case::of(name, &case))
        .collect()
}

/// A genuine case with a report.
pub(super) fn genuine() -> Option<Case> {
    cases().into_iter().find(|case| case.verdict == "valid" && case.report.is_some())
}

//! Minted certificates have the layout of AMD's own, which the test vectors hold.

use claviger_tests::vectors;

use super::*;

/// What two certificates of the same kind have in common.
fn layout(der: &[u8]) -> Vec<String> {
    let certificate = certificate(der);
    let attributes = |name: &X509Name<'_>| {
        name.iter_attributes()
            .map(|attribute| {
                format!("{} {:?}", attribute.attr_type(), attribute.attr_value().tag())
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let extensions = certificate.extensions().iter();
    let mut layout = vec![
        format!("{:?}", certificate.version()),
        format!("serial {}", certificate.serial),
        attributes(certificate.issuer()),
        attributes(certificate.subject()),
        format!("{:?}", certificate.signature_algorithm),
        format!("{:?}", certificate.public_key().algorithm),
        years(&certificate).to_string(),
    ];
    layout.extend(extensions.map(|one| format!("{} {}", one.oid, one.critical)));
    layout
}

/// The validity in years, rounded.
fn years(certificate: &X509Certificate<'_>) -> i64 {
    let validity = certificate.validity();
    let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
    (seconds + 182 * 86_400) / (365 * 86_400)
}

/// What the recorded cases name and bring along: certificates of AMD's own, in DER.
fn recorded() -> Vec<Vec<u8>> {
    let Some(folder) = vectors::folder() else {
        return Vec::new();
    };
    let cases = vectors::cases(&folder).into_iter().filter_map(|(_, case)| case.ok());
    let genuine = cases.filter(|case| case.tee() == "snp" && case.verdict() == "valid");
    let files = genuine.flat_map(|case| {
        let roots = case.roots.into_iter().filter_map(|root| root.bytes);
        let own = case.certificates.into_iter().map(|file| file.bytes);
        roots.chain(own).collect::<Vec<_>>()
    });
    files
        .map(|bytes| match x509_parser::pem::parse_x509_pem(&bytes) {
            Ok((_, pem)) => pem.contents,
            Err(_) => bytes,
        })
        .filter(|der| X509Certificate::from_der(der).is_ok())
        .collect()
}

/// AMD's own certificate with the issuer and subject names of `minted`, but for their organizations.
fn assert_mirrors(minted: &[u8], recorded: &[Vec<u8>]) {
    let names = |der: &[u8]| {
        let certificate = certificate(der);
        let common = |name: &X509Name<'_>| {
            name.iter_common_name().next().map(|name| name.as_str().unwrap().to_owned())
        };
        (common(certificate.issuer()), common(certificate.subject()))
    };
    let same: Vec<_> = recorded.iter().filter(|der| names(der) == names(minted)).collect();
    if same.is_empty() {
        eprintln!("no certificate of AMD's is recorded for {:?}", names(minted));
        return;
    }
    let layouts: Vec<_> = same.iter().map(|der| layout(der)).collect();
    assert!(layouts.contains(&layout(minted)), "{:?}: {:#?}", layout(minted), layouts);
}

#[test]
fn what_is_minted_has_the_layout_of_amds_own() {
    let recorded = recorded();
    for product in Product::ALL {
        let family = family(product);
        let chip = family.chip(&family.chip_template()).unwrap();
        let provider = family.provider(&family.provider_template()).unwrap();
        let minted =
            [family.ark(), family.ask(), family.asvk(), chip.certificate(), provider.certificate()];
        minted.iter().for_each(|minted| assert_mirrors(minted, &recorded));
    }
}

//! Minted certificates have the layout of AMD's own, which the test vectors hold.

use std::path::{Path, PathBuf};

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

fn vectors() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let folder = std::env::var("CLAVIGER_VECTORS").unwrap_or_else(|_| default.into());
    if Path::new(&folder).is_dir() {
        return Some(folder.into());
    }
    assert!(std::env::var("CI").is_err(), "{folder} is not there");
    eprintln!("skipped: {folder} is not there");
    None
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match x509_parser::pem::parse_x509_pem(&bytes) {
        Ok((_, pem)) => pem.contents,
        Err(_) => bytes,
    }
}

#[test]
fn authorities_have_the_layout_of_amds_own() {
    let Some(vectors) = vectors() else { return };
    for product in Product::ALL {
        let family = family(product);
        let folder = vectors.join("roots/amd").join(product.name().to_lowercase());
        assert_eq!(layout(family.ark()), layout(&read(&folder.join("ark.pem"))));
        assert_eq!(layout(family.ask()), layout(&read(&folder.join("ask.pem"))));
        assert_eq!(layout(family.asvk()), layout(&read(&folder.join("asvk.pem"))));
    }
}

#[test]
fn endorsement_keys_have_the_layout_of_amds_own() {
    let Some(vectors) = vectors() else { return };
    for (product, real) in [
        (Product::Milan, "snp/milan-v5-gcp/vcek.pem"),
        (Product::Genoa, "snp/genoa-v5-live/vcek.der"),
        (Product::Turin, "snp/turin-v5-oak/vcek.der"),
    ] {
        let family = family(product);
        let chip = family.chip(&family.chip_template()).unwrap();
        let real = read(&vectors.join(real));
        assert_eq!(layout(chip.certificate()), layout(&real), "{product}");
    }
    let family = family(Product::Milan);
    let provider = family.provider(&family.provider_template()).unwrap();
    let real = read(&vectors.join("snp/milan-v3-vlek-aws-trustee/vlek.der"));
    assert_eq!(layout(provider.certificate()), layout(&real));
}

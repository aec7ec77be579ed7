//! NVIDIA's manifests, made here: written in their canonical form by hand, so that the digest is one of a
//! text that no canonicalisation made, and then spelled otherwise.

use aws_lc_rs::digest::{SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

use super::*;
use crate::clock::Timestamp;

const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";

/// A root, and a signer below it.
struct Vendor {
    root: Vec<u8>,
    leaf: Vec<u8>,
    key: EcdsaKeyPair,
}

fn vendor() -> Vendor {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let (root_key, leaf_key) = (key(), key());
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certified = root.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(root, root_key);
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "Signer");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.not_before = date_time_ymd(2025, 1, 1);
    leaf.not_after = date_time_ymd(2027, 1, 1);
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let pkcs8 = leaf_key.serialize_der();
    Vendor {
        root: certified.der().to_vec(),
        leaf: leaf.der().to_vec(),
        key: EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &pkcs8).unwrap(),
    }
}

fn hash(byte: u8) -> String {
    measurement(byte)
}

/// A measurement in canonical form.
fn resource(index: u8, active: bool, values: &[u8]) -> String {
    let active = if active { "True" } else { "False" };
    let hashes: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(number, byte)| format!(" n2:Hash{number}=\"{}\"", hash(*byte)))
        .collect();
    format!(
        "\n<n:Resource active=\"{active}\" alternatives=\"{}\" index=\"{index}\" name=\"M{index}\" size=\"48\" type=\"Measurement\"{}></n:Resource>",
        values.len(),
        hashes.concat()
    )
}

/// All but the signature, in canonical form, up to where that stands.
fn content(resources: &[String]) -> String {
    format!(
        "<SoftwareIdentity xmlns=\"{SWID}\" xmlns:n=\"{SWID}\" xmlns:n2=\"http://www.w3.org/2001/04/xmlenc#sha384\" corpus=\"false\" name=\"GH100\" tagId=\"7\">\
        <n:Entity name=\"NVIDIA Corporation\" role=\"softwareCreator tagCreator\"></n:Entity>\
        <n:Meta PayloadType=\"direct\" colloquialVersion=\"550.1\" edition=\"GPU\" product=\"GH100\"></n:Meta>\
        <n:Payload>{}\n</n:Payload>\n",
        resources.concat()
    )
}

fn signed_info(digest_value: &str, inherited: bool) -> String {
    let xmlns = match inherited {
        true => format!(
            " xmlns=\"{SWID}\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:n=\"{SWID}\" xmlns:n2=\"http://www.w3.org/2001/04/xmlenc#sha384\""
        ),
        false => String::new(),
    };
    format!(
        "<ds:SignedInfo{xmlns}><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:CanonicalizationMethod>\
        <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"></ds:SignatureMethod>\
        <ds:Reference URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>\
        <ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform></ds:Transforms>\
        <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"></ds:DigestMethod>\
        <ds:DigestValue>{digest_value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
}

/// A manifest around a content.
fn signed(vendor: &Vendor, content: &str) -> String {
    let whole = format!("{content}</SoftwareIdentity>");
    let digest_value = BASE64.encode(digest(&SHA384, whole.as_bytes()).as_ref());
    let signature =
        vendor.key.sign(&SystemRandom::new(), signed_info(&digest_value, true).as_bytes()).unwrap();
    let (info, value) = (signed_info(&digest_value, false), BASE64.encode(signature.as_ref()));
    let chain: String = [&vendor.leaf, &vendor.root]
        .map(|der| format!("<ds:X509Certificate>{}</ds:X509Certificate>", BASE64.encode(der)))
        .concat();
    format!(
        "{content}<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>\
        <ds:KeyInfo><ds:X509Data>{chain}</ds:X509Data></ds:KeyInfo></ds:Signature></SoftwareIdentity>"
    )
}

fn taken(vendor: &Vendor, text: &str) -> Result<Admitted, ReferenceError> {
    admit(&Signers::rooted(&vendor.root), Container::Rim, text.as_bytes())
}

fn two() -> [String; 3] {
    [resource(0, false, &[0]), resource(1, true, &[1]), resource(2, true, &[2, 3])]
}

#[test]
fn a_manifest_gives_the_values_of_its_active_measurements_for_as_long_as_its_signer_is_certified() {
    let vendor = vendor();
    let text = signed(&vendor, &content(&two()));
    assert_eq!(Container::guess(text.as_bytes()), Container::Rim);
    let admitted = taken(&vendor, &text).unwrap();
    let document = admitted.document();
    assert_eq!(document.name, "GH100 GPU 550.1");
    let groups: Vec<_> = document.groups.iter().map(|group| json!(group.values)).collect();
    assert_eq!(
        groups,
        [
            json!({ "measurement_2": hash(1), "measurement_3": hash(2) }),
            json!({ "measurement_3": hash(3) }),
        ]
    );
    assert!(document.groups.iter().all(|group| group.tee == "nvidia"));
    let window = document.window;
    assert_eq!(window.not_before, Some(Timestamp(1_735_689_600)));
    assert_eq!(window.not_after, Some(Timestamp(1_798_761_600)));
}

#[test]
fn what_is_the_same_to_canonical_xml_is_the_same_document() {
    let vendor = vendor();
    let text = signed(&vendor, &content(&two()));
    let id = |text: &str| taken(&vendor, text).map(|admitted| admitted.document().digest);
    let expected = id(&text).unwrap();
    let alike = [
        text.replace("></n:Entity>", "/>"),
        text.replace("corpus=\"false\" name=\"GH100\"", "name=\"GH100\"   corpus='false'"),
        text.replace("<n:Payload>", &format!("<n:Payload xmlns:n=\"{SWID}\">")),
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n"),
        text.replace("</ds:SignatureValue>", "\n</ds:SignatureValue>"),
    ];
    for text in alike {
        assert_eq!(id(&text), Ok(expected), "{text}");
    }
}

#[test]
fn what_another_signed_or_was_altered_is_refused() {
    let (own, other) = (vendor(), vendor());
    let text = signed(&own, &content(&two()));
    assert_eq!(taken(&other, &text).unwrap_err(), ReferenceError::NotSigned);
    let foreign = text.replace(&BASE64.encode(&own.leaf), &BASE64.encode(&other.leaf));
    assert_eq!(taken(&own, &foreign).unwrap_err(), ReferenceError::NotSigned);
    let altered = text.replace(&hash(2), &hash(9));
    assert_eq!(taken(&own, &altered).unwrap_err(), ReferenceError::Altered);
    // The digest fits, and nobody signed it.
    let again = signed(&other, &content(&[resource(0, true, &[9])]));
    let forged = again.replace(&BASE64.encode(&other.leaf), &BASE64.encode(&own.leaf));
    let forged = forged.replace(&BASE64.encode(&other.root), &BASE64.encode(&own.root));
    assert_eq!(taken(&own, &forged).unwrap_err(), ReferenceError::NotSigned);
    // A root is for documents of this form alone, and may say what the list allows.
    let plain = plain("p", 1).to_string();
    assert!(admit(&Signers::rooted(&own.root), Container::Json, plain.as_bytes()).is_err());
    let listed = signers([Key::p384().plan("p")]);
    assert_eq!(
        admit(&listed, Container::Rim, text.as_bytes()).unwrap_err(),
        ReferenceError::NotSigned
    );
}

// attack 35
#[test]
fn another_form_than_nvidias_is_refused_signed_or_not() {
    let vendor = vendor();
    let base = content(&two());
    let text = signed(&vendor, &base);
    let refused = |text: &str| {
        matches!(
            taken(&vendor, text),
            Err(ReferenceError::Malformed(_) | ReferenceError::Unsupported(_))
        )
    };
    // Of what is in the document, each signed anew.
    for (from, to) in [
        ("corpus=\"false\"", "corpus=\"true\""),
        ("PayloadType=\"direct\"", "PayloadType=\"indirect\""),
        ("edition=\"GPU\" ", ""),
        ("index=\"2\"", "index=\"3\""),
        ("index=\"2\"", "index=\"02\""),
        ("size=\"48\"", "size=\"32\""),
        ("active=\"True\"", "active=\"true\""),
        ("alternatives=\"2\"", "alternatives=\"1\""),
        ("alternatives=\"2\"", "alternatives=\"3\""),
        ("alternatives=\"2\"", "alternatives=\"99\""),
        ("name=\"M2\"", "mask=\"1\" name=\"M2\""),
        ("<n:Payload>", "<n:Payload>words"),
        ("n:Meta", "n:Evidence"),
        ("n:Resource", "n:File"),
    ] {
        assert!(base.contains(from), "{from}");
        let changed = signed(&vendor, &base.replace(from, to));
        assert!(refused(&changed), "{from} as {to}");
    }
    // Of how it is written and signed.
    for (from, to) in [
        ("<SoftwareIdentity", "<!DOCTYPE a [<!ENTITY b \"c\">]><SoftwareIdentity"),
        ("<n:Payload>", "<n:Payload><!-- a remark -->"),
        ("<n:Payload>", "<n:Payload><?an instruction?>"),
        ("<n:Payload>", "<n:Payload><![CDATA[ ]]>"),
        ("role=\"softwareCreator", "role=\"software&#67;reator"),
        ("role=\"softwareCreator", "role=\"software\tCreator"),
        ("name=\"M2\"", "name=\"M\u{fc}\""),
        ("corpus=\"false\"", "corpus=\"false\" corpus=\"false\""),
        ("corpus=\"false\"", "corpus=\"false\" xml:lang=\"en\""),
        ("<n:Entity", "<unknown:Entity"),
        ("<n:Payload>", "<n:Payload xmlns:n=\"\">"),
        ("URI=\"\"", "URI=\"#a\""),
        ("xml-c14n11", "xml-c14n11#WithComments"),
        ("#ecdsa-sha384", "#hmac-sha384"),
        ("xmldsig-more#sha384", "xmldsig#sha1"),
        ("<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName>a</ds:KeyName>"),
        ("</ds:Signature>", "</ds:Signature><n:Payload></n:Payload>"),
        ("</n:Payload>", "</n:Meta>"),
        ("</ds:Signature></SoftwareIdentity>", "</ds:Signature>"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(refused(&text.replacen(from, to, 1)), "{from} as {to}");
    }
    assert!(refused(&format!("{text}{text}")));
    let deep = "<n:Payload>".repeat(40) + &"</n:Payload>".repeat(40);
    assert!(refused(&signed(&vendor, &base.replace("<n:Payload>", &format!("{deep}<n:Payload>")))));
    let many: Vec<_> = (0..=255).map(|index| resource(index, true, &[1])).collect();
    assert!(refused(&signed(&vendor, &content(&many))));
    assert!(refused(&signed(&vendor, &content(&[resource(0, false, &[1])]))), "no value");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_of_a_byte_gives_another_document(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let vendor = vendor();
        let text = signed(&vendor, &content(&two())).into_bytes();
        let mut changed = text.clone();
        let place = place.index(text.len());
        changed[place] = byte;
        let signers = Signers::rooted(&vendor.root);
        let own = admit(&signers, Container::Rim, &text).unwrap();
        if let Ok(taken) = admit(&signers, Container::Rim, &changed) {
            prop_assert_eq!(taken.document().groups.clone(), own.document().groups.clone());
            prop_assert_eq!(taken.document().digest, own.document().digest);
        }
    }
}

//! Reads the attestation documents of AWS Nitro Enclaves. The host follows the chain to AWS' root and
//! checks the signature; what is left here is to read what was signed.

mod document;

use claviger_plugin_sdk::cbor;
use claviger_plugin_sdk::cose::Sign1;
use claviger_plugin_sdk::verifier::custody::{self, Digest};
use claviger_plugin_sdk::verifier::types::{Claim, Quote, Span, Value};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

use document::{Document, Module};

claviger_plugin_sdk::manifest! {
    name: "verifier-nitro",
    kind: "verifier",
    imports: ["custody", "log"],
    anchors: ["aws-nitro"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(Nitro);

/// A document as the Nitro Security Module gives it: a COSE_Sign1.
const DOCUMENT: &str = "application/vnd.aws.nitro-attestation";
/// The same, by the media type of COSE (RFC 9052, section 11.3.1).
const COSE: &str = "application/cose";

/// The set of AWS' root.
const ANCHORS: &str = "aws-nitro";

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const CONTRAINDICATED: i8 = 96;

struct Nitro;

impl Verifier for Nitro {
    fn describe() -> Description {
        Description { tee: "nitro".into(), evidence_types: vec![DOCUMENT.into(), COSE.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        if ![DOCUMENT, COSE].contains(&request.evidence_type.as_str()) {
            return Err(Rejection::Unsupported(request.evidence_type));
        }
        let item = cbor::parse(&request.evidence).map_err(malformed)?;
        let signed = Sign1::read(&item).map_err(malformed)?;
        // ES384 and nothing else (AWS Nitro Enclaves NSM API, attestation process, section 3.1).
        if signed.algorithm != custody::Algorithm::EcdsaP384Sha384 {
            return Err(Rejection::Unsupported("a signature other than ES384".into()));
        }
        // Read before it is checked, for the chain stands inside; believed only after.
        let unchecked = Document::read(signed.payload).map_err(malformed)?;
        let signer = custody::chain(&unchecked.chain(), ANCHORS)?;
        let (message, payload) = signed.message();
        let statement = custody::check(&signer, signed.algorithm, &message, signed.signature)?;
        let document = unchecked;
        Ok(Verdict {
            trustworthiness: judge(&document),
            bindings: bindings(&document, payload),
            claims: claims(&document, payload),
            statements: vec![statement],
        })
    }
}

/// Where the document carries the challenge: `user_data` of 64 bytes, which is the digest of challenge,
/// purpose and recipient key; or `nonce` of 32 bytes and `public_key`, one for each. Anything else is the
/// application's own.
fn bindings(document: &Document<'_>, payload: usize) -> Vec<Binding> {
    let bind = |at: Option<Span>, carries| at.map(|at| Binding { statement: 0, at, carries });
    let sized = |field: &Option<cbor::Item<'_>>, length: u32| {
        field.as_ref().and_then(|item| item.content(payload)).filter(|at| at.length == length)
    };
    if document.public_key.is_some() {
        let nonce = bind(sized(&document.nonce, 32), Carries::Nonce);
        let key = document.public_key.as_ref().and_then(|item| item.content(payload));
        return nonce.into_iter().chain(bind(key, Carries::RecipientSpki)).collect();
    }
    let digest = sized(&document.user_data, 64);
    bind(digest, Carries::ChallengeDigest(Digest::Sha512)).into_iter().collect()
}

fn claims(document: &Document<'_>, payload: usize) -> Vec<Claim> {
    let claim = |name: String, value| Claim { name: format!("nitro.{name}"), value };
    let quoted = |at| Value::Quoted(Quote { statement: 0, at });
    let mut claims = vec![
        claim("module_id".into(), Value::Text(document.module_id.into())),
        claim("digest".into(), Value::Text("SHA384".into())),
        claim("timestamp_ms".into(), Value::Unsigned(document.timestamp)),
        claim("n_pcrs".into(), Value::Unsigned(document.pcrs.len() as u64)),
        claim("debug".into(), Value::Flag(document.debug())),
    ];
    let prefix = match document.module {
        Module::Enclave => "",
        Module::NitroTpm => "nitrotpm_",
    };
    for (index, register) in &document.pcrs {
        let at = register.content(payload);
        claims.extend(at.map(|at| claim(format!("{prefix}pcr{index}"), quoted(at))));
    }
    let user_data = document.user_data.as_ref().and_then(|item| item.content(payload));
    claims.extend(user_data.map(|at| claim("user_data".into(), quoted(at))));
    claims
}

fn judge(document: &Document<'_>) -> Trustworthiness {
    Trustworthiness {
        // The module's certificate is of this one enclave.
        instance_identity: Some(AFFIRMING),
        configuration: Some(if document.debug() { CONTRAINDICATED } else { AFFIRMING }),
        // Genuine: the host traced the document to AWS' root.
        hardware: Some(AFFIRMING),
        // The hypervisor gives the enclave's memory to nobody else.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

//! A guest of Azure's with a virtual TPM that attests itself as Microsoft's client library does: keys of RSA, a
//! quote without a nonce, a key that opens while the PCRs are what they are, certified by the attestation key;
//! and how it opens what is sealed to that key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::azure::Hardware;
use super::event_log::Log;
use super::tpm::{Quote, Tpm, sha256};

/// fixedTPM, fixedParent, sensitiveDataOrigin, noDA, decrypt.
pub const ATTRIBUTES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 10 | 1 << 17;

/// The PCRs that Microsoft's client quotes on Linux.
pub const QUOTED: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// A key of a TPM's.
pub struct Key(RsaKeyPair);

impl Key {
    /// A fresh one.
    #[must_use]
    pub fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The modulus, 256 bytes.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        // RSAPublicKey: a sequence of two numbers, the first with a byte that keeps its sign.
        let der = self.0.public_key().as_ref();
        assert_eq!(der.len(), 270);
        der[9..265].to_vec()
    }

    /// RSASSA with SHA-256, bare.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    fn decrypting(&self) -> PrivateDecryptingKey {
        let pkcs8: Pkcs8V1Der<'_> = self.0.as_der().unwrap();
        PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).unwrap()
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// The machine.
pub struct Machine {
    hardware: Hardware,
    /// Its PCRs, and its log.
    pub tpm: Tpm,
    log: Log,
    /// The attestation key, for which the hardware vouches.
    pub attestation: Key,
    /// The key that the vTPM keeps.
    pub ephemeral: Key,
    runtime: Vec<u8>,
}

/// What a machine shows, before it is packed; a dishonest one shows something else.
#[derive(Clone)]
pub struct Shown {
    /// `SevSnp`, `Tdx`.
    pub kind: String,
    /// The hardware's report, or quote.
    pub report: Vec<u8>,
    /// Certificates that go along.
    pub certificates: Vec<Vec<u8>>,
    /// The runtime data.
    pub runtime: Vec<u8>,
    /// TPM2B_PUBLIC of the attestation key.
    pub attestation_key: Vec<u8>,
    /// TPMS_ATTEST of the quote.
    pub quote: Vec<u8>,
    /// Its signature.
    pub quote_signature: Vec<u8>,
    /// The PCRs.
    pub pcrs: Vec<(u32, Vec<u8>)>,
    /// TPM2B_PUBLIC of the key that is kept.
    pub key: Vec<u8>,
    /// TPMS_ATTEST of its certificate.
    pub certificate: Vec<u8>,
    /// Its signature.
    pub certificate_signature: Vec<u8>,
    /// The event log.
    pub log: Vec<u8>,
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// TPM2B_PUBLIC of an RSA key.
#[must_use]
pub fn public(modulus: &[u8], attributes: u32, policy: &[u8], signs: bool) -> Vec<u8> {
    let mut area = vec![0, 1, 0, 0x0b];
    area.extend(attributes.to_be_bytes());
    area.extend(sized(policy));
    area.extend([0, 0x10]);
    area.extend(if signs { &[0, 0x14, 0, 0x0b][..] } else { &[0, 0x10] });
    area.extend([8, 0, 0, 0, 0, 0]);
    area.extend(sized(modulus));
    sized(&area)
}

/// The digest of a policy that wants these PCRs to have these values.
#[must_use]
pub fn policy(pcrs: &[(u32, Vec<u8>)]) -> [u8; 32] {
    let mut bitmap = [0_u8; 3];
    for (index, _) in pcrs {
        bitmap[*index as usize / 8] |= 1 << (index % 8);
    }
    let values: Vec<u8> = pcrs.iter().flat_map(|(_, value)| value.clone()).collect();
    let mut policy = vec![0; 32];
    policy.extend([0, 0, 1, 0x7f, 0, 0, 0, 1, 0, 0x0b, 3]);
    policy.extend(bitmap);
    policy.extend(sha256(&values));
    sha256(&policy)
}

/// TPMS_ATTEST of TPM2_Certify about the key with this TPM2B_PUBLIC.
#[must_use]
pub fn certificate(public: &[u8]) -> Vec<u8> {
    let name = [&[0, 0x0b][..], &sha256(&public[2..])].concat();
    let mut message = vec![0xff, b'T', b'C', b'G', 0x80, 0x17];
    message.extend(sized(&[0x22; 34]));
    message.extend(sized(b""));
    message.extend([0; 8 + 4 + 4]);
    message.push(1);
    message.extend([0; 8]);
    message.extend(sized(&name));
    message.extend(sized(&[0x33; 34]));
    message
}

impl Machine {
    /// One on this hardware, started with Secure Boot.
    #[must_use]
    pub fn on(hardware: Hardware) -> Self {
        let log = Log::sound(true);
        let (attestation, ephemeral) = (Key::new(), Key::new());
        let runtime = json!({
            "keys": [{
                "kid": "HCLAkPub", "key_ops": ["sign"], "kty": "RSA", "e": "AQAB",
                "n": BASE64URL_NOPAD.encode(&attestation.modulus()),
            }],
            "vm-configuration": {
                "console-enabled": true, "secure-boot": true, "tpm-enabled": true,
                "vmUniqueId": "11111111-2222-3333-4444-555555555555",
            },
            "user-data": "00".repeat(64),
        });
        let tpm = Tpm::started_by(log.entries());
        Self { hardware, tpm, log, attestation, ephemeral, runtime: runtime.to_string().into() }
    }

    /// The same with runtime data that name this attestation key.
    #[must_use]
    pub fn with_runtime(self, runtime: Vec<u8>) -> Self {
        Self { runtime, ..self }
    }

    /// The PCRs that are quoted.
    #[must_use]
    pub fn quoted(&self) -> Vec<(u32, Vec<u8>)> {
        QUOTED.iter().map(|index| (*index, self.tpm.pcrs[*index as usize].to_vec())).collect()
    }

    /// Report or quote, what goes along, and the runtime data that they vouch for.
    #[must_use]
    pub fn isolation(&self) -> (String, Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
        let mut report_data = [0; 64];
        report_data[..32].copy_from_slice(&sha256(&self.runtime));
        let runtime = self.runtime.clone();
        match &self.hardware {
            Hardware::Snp(guest) => {
                let report = guest.report(report_data).to_vec();
                ("SevSnp".to_owned(), report, guest.attachments.clone(), runtime)
            }
            Hardware::Tdx(quote) => {
                let (quote, collateral) = quote(report_data);
                ("Tdx".to_owned(), quote, collateral, runtime)
            }
        }
    }

    /// What it shows.
    #[must_use]
    pub fn shows(&self) -> Shown {
        let pcrs = self.quoted();
        let key = public(&self.ephemeral.modulus(), ATTRIBUTES, &policy(&pcrs), false);
        self.shows_key(key)
    }

    /// The same with another key, which its vTPM certifies.
    #[must_use]
    pub fn shows_key(&self, key: Vec<u8>) -> Shown {
        let (kind, report, certificates, runtime) = self.isolation();
        let asked = Quote { extra_data: Vec::new(), selected: QUOTED.to_vec(), ..Quote::default() };
        let quote = self.tpm.message(&asked);
        let certificate = certificate(&key);
        Shown {
            kind,
            report,
            certificates,
            runtime,
            // restricted, sign.
            attestation_key: public(&self.attestation.modulus(), 0x5_0072, b"", true),
            quote_signature: self.attestation.sign(&quote),
            quote,
            pcrs: self.quoted(),
            key,
            certificate_signature: self.attestation.sign(&certificate),
            certificate,
            log: self.log.bytes(),
        }
    }

    /// Opens a token that was sealed to the key which the vTPM keeps.
    #[must_use]
    pub fn open(&self, sealed: &str) -> Option<String> {
        let private = self.ephemeral.decrypting();
        open(sealed, |inner| {
            let private = Pkcs1PrivateDecryptingKey::new(private).unwrap();
            let mut buffer = vec![0; private.min_output_size()];
            private.decrypt(inner, &mut buffer).ok().map(|key| key.to_vec())
        })
    }

    /// Opens what was wrapped for that key by `CKM_RSA_AES_KEY_WRAP`.
    #[must_use]
    pub fn unwrap(&self, wrapped: &[u8]) -> Option<Vec<u8>> {
        let (inner, material) = wrapped.split_at_checked(256)?;
        let private = OaepPrivateDecryptingKey::new(self.ephemeral.decrypting()).ok()?;
        let mut buffer = vec![0; private.min_output_size()];
        let key = private.decrypt(&OAEP_SHA1_MGF1SHA1, inner, &mut buffer, None).ok()?;
        unwrapped(key, material)
    }
}

/// AES key wrap with padding (RFC 5649) undone.
#[must_use]
pub fn unwrapped(key: &[u8], material: &[u8]) -> Option<Vec<u8>> {
    use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
    let kek = AesKek::new(&AES_256, key).ok()?;
    let mut buffer = vec![0; material.len()];
    kek.unwrap_with_padding(material, &mut buffer).ok().map(|bytes| bytes.to_vec())
}

/// Opens a sealed token by whoever decrypts the inner key, as Microsoft's library does.
#[must_use]
pub fn open(sealed: &str, decrypt: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
    let envelope = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
    let envelope: Value = serde_json::from_slice(&envelope).ok()?;
    let bytes = |pointer: &str| BASE64.decode(envelope.pointer(pointer)?.as_str()?.as_bytes()).ok();
    let key = decrypt(&bytes("/EncryptedInnerKey")?)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&bytes("/EncryptionParams/Iv")?).ok()?;
    let mut text = [bytes("/Jwt")?, bytes("/AuthenticationData")?].concat();
    let opened = key.open_in_place(nonce, Aad::from(b"Transport Key"), &mut text).ok()?;
    String::from_utf8(opened.to_vec()).ok()
}

impl Shown {
    /// `AttestationInfo`, before it is encoded.
    #[must_use]
    pub fn info(&self) -> Value {
        let b64 = |bytes: &[u8]| Value::from(BASE64.encode(bytes));
        let proof = match self.kind.as_str() {
            "SevSnp" => {
                let pem: String = self.certificates.iter().map(|der| pem(der)).collect();
                let proof = json!({
                    "SnpReport": BASE64URL_NOPAD.encode(&self.report),
                    "VcekCertChain": BASE64.encode(pem.as_bytes()),
                });
                b64(proof.to_string().as_bytes())
            }
            _ => b64(&self.report),
        };
        let pcrs: Vec<Value> = self
            .pcrs
            .iter()
            .map(|(index, value)| json!({"Index": index, "Digest": b64(value)}))
            .collect();
        json!({
            "AttestationProtocolVersion": "2.0",
            "OSType": b64(b"Linux"),
            "OSDistro": b64(b"Ubuntu"),
            "OSBuild": b64(b"NotApplication"),
            "OSVersionMajor": 24,
            "OSVersionMinor": 4,
            "TcgLogs": b64(&self.log),
            "ClientPayload": {"nonce": b64(b"1234")},
            "TpmInfo": {
                "AikCert": b64(b"a certificate"),
                "AikPub": b64(&self.attestation_key),
                "PcrQuote": b64(&self.quote),
                "PcrSignature": b64(&self.quote_signature),
                "EncKeyPub": b64(&self.key),
                "EncKeyCertifyInfo": b64(&self.certificate),
                "EncKeyCertifyInfoSignature": b64(&self.certificate_signature),
                "PcrSet": self.pcrs.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
                "PCRs": pcrs,
            },
            "IsolationInfo": {
                "Type": self.kind,
                "Evidence": {"Proof": proof, "RunTimeData": b64(&self.runtime)},
            },
        })
    }

    /// The same in the form that this host's verifiers read, on SEV-SNP.
    #[must_use]
    pub fn evidence(&self) -> Value {
        let hex = |bytes: &[u8]| Value::from(HEXLOWER.encode(bytes));
        let hardware: &[u8; 1184] = self.report.as_slice().try_into().unwrap();
        let pcrs = self.pcrs.iter().map(|(index, value)| (index.to_string(), hex(value)));
        json!({
            "version": 1,
            "hcl_report": BASE64URL_NOPAD.encode(&super::azure::hcl(2, hardware, &self.runtime)),
            "tpm_quote": {
                "message": hex(&self.quote),
                "signature": hex(&self.quote_signature),
                "pcrs": pcrs.collect::<serde_json::Map<_, _>>(),
            },
            "certified_key": {
                "attestation_key": hex(&self.attestation_key),
                "certificate": hex(&self.certificate),
                "public": hex(&self.key),
                "signature": hex(&self.certificate_signature),
            },
        })
    }
}

/// The body of a request.
#[must_use]
pub fn body(info: &Value) -> String {
    let info = BASE64URL_NOPAD.encode(info.to_string().as_bytes());
    json!({ "AttestationInfo": info }).to_string()
}

fn pem(der: &[u8]) -> String {
    let body = BASE64.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

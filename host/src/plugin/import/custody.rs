//! `custody`: the operations of the chain of custody, done by [`crate::quote`]; the plugin gets
//! handles that it cannot forge.

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::plugin::bindings::claviger::plugin::custody::{
    Algorithm, Digest, Fault, Host, HostSigner, HostStatement, KeyEncoding,
};
use crate::plugin::bindings::claviger::plugin::types::{Claim, Span};
use crate::plugin::limits::Metered;
use crate::plugin::verifier::VerifierCall;
use crate::quote::{self, Signer, Statement, Trailed};

impl Host for VerifierCall {
    fn chain(
        &mut self,
        certificates: Vec<Vec<u8>>,
        anchors: String,
    ) -> Result<Result<Resource<Signer>, Fault>> {
        self.meter().host_call()?;
        let signer = self.examine(|examination| examination.chain(&certificates, &anchors));
        self.hand_over("chain", None, signer)
    }

    fn pinned(
        &mut self,
        anchors: String,
        key_id: Vec<u8>,
    ) -> Result<Result<Resource<Signer>, Fault>> {
        self.meter().host_call()?;
        let signer = self.examine(|examination| examination.pinned(&anchors, &key_id));
        self.hand_over("pinned", None, signer)
    }

    fn check(
        &mut self,
        by: Resource<Signer>,
        algorithm: Algorithm,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<Result<Resource<Statement>, Fault>> {
        self.meter().host_call()?;
        let by = self.meter().table.get(&by)?.clone();
        let statement = self
            .examine(|examination| examination.check(&by, algorithm.into(), message, &signature));
        self.hand_over("check", Some(by.trail().clone()), statement)
    }

    fn vouch(
        &mut self,
        by: Resource<Statement>,
        at: Span,
        digest: Digest,
        blob: Vec<u8>,
    ) -> Result<Result<Resource<Statement>, Fault>> {
        self.meter().host_call()?;
        let by = self.meter().table.get(&by)?.clone();
        let statement =
            self.examine(|examination| examination.vouch(&by, at.into(), digest.into(), blob));
        self.hand_over("vouch", Some(by.trail().clone()), statement)
    }

    fn replay(
        &mut self,
        by: Resource<Statement>,
        at: Span,
        digest: Digest,
        initial: Vec<u8>,
        entries: Vec<Vec<u8>>,
    ) -> Result<Result<Resource<Statement>, Fault>> {
        self.meter().host_call()?;
        let by = self.meter().table.get(&by)?.clone();
        let statement = self.examine(|examination| {
            examination.replay(&by, at.into(), digest.into(), &initial, &entries)
        });
        self.hand_over("replay", Some(by.trail().clone()), statement)
    }

    fn adopt(
        &mut self,
        from: Resource<Statement>,
        at: Span,
        encoding: KeyEncoding,
    ) -> Result<Result<Resource<Signer>, Fault>> {
        self.meter().host_call()?;
        let from = self.meter().table.get(&from)?.clone();
        let signer =
            self.examine(|examination| examination.adopt(&from, at.into(), encoding.into()));
        self.hand_over("adopt", Some(from.trail().clone()), signer)
    }
}

impl HostSigner for VerifierCall {
    fn certificate(&mut self, signer: Resource<Signer>) -> Result<Option<Vec<u8>>> {
        self.meter().host_call()?;
        let signer = self.meter().table.get(&signer)?;
        Ok(signer.certificate().map(<[u8]>::to_vec))
    }

    fn extension(&mut self, signer: Resource<Signer>, oid: String) -> Result<Option<Vec<u8>>> {
        self.meter().host_call()?;
        Ok(self.meter().table.get(&signer)?.extension(&oid))
    }

    fn expires(&mut self, signer: Resource<Signer>) -> Result<u64> {
        self.meter().host_call()?;
        Ok(self.meter().table.get(&signer)?.expires().0)
    }

    fn drop(&mut self, signer: Resource<Signer>) -> Result<()> {
        self.meter().table.delete(signer)?;
        Ok(())
    }
}

impl HostStatement for VerifierCall {
    fn bytes(&mut self, statement: Resource<Statement>) -> Result<Vec<u8>> {
        self.meter().host_call()?;
        Ok(self.meter().table.get(&statement)?.bytes().to_vec())
    }

    fn read(&mut self, statement: Resource<Statement>, at: Span) -> Result<Result<Vec<u8>, Fault>> {
        self.meter().host_call()?;
        let statement = self.meter().table.get(&statement)?;
        let bytes = statement.read(at.into()).map(<[u8]>::to_vec);
        Ok(bytes.map_err(Into::into))
    }

    fn facts(&mut self, statement: Resource<Statement>) -> Result<Vec<Claim>> {
        self.meter().host_call()?;
        let statement = self.meter().table.get(&statement)?;
        Ok(statement.facts().iter().cloned().map(Into::into).collect())
    }

    fn drop(&mut self, statement: Resource<Statement>) -> Result<()> {
        self.meter().table.delete(statement)?;
        Ok(())
    }
}

impl From<Algorithm> for quote::SignatureAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EcdsaP256Sha256 => Self::EcdsaP256Sha256,
            Algorithm::EcdsaP384Sha384 => Self::EcdsaP384Sha384,
            Algorithm::EcdsaP521Sha512 => Self::EcdsaP521Sha512,
            Algorithm::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
            Algorithm::RsaPkcs1Sha384 => Self::RsaPkcs1Sha384,
            Algorithm::RsaPkcs1Sha512 => Self::RsaPkcs1Sha512,
            Algorithm::RsaPssSha256 => Self::RsaPssSha256,
            Algorithm::RsaPssSha384 => Self::RsaPssSha384,
            Algorithm::RsaPssSha512 => Self::RsaPssSha512,
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::MlDsa65 => Self::MlDsa65,
            Algorithm::MlDsa87 => Self::MlDsa87,
        }
    }
}

impl From<Digest> for quote::DigestAlgorithm {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Sha256 => Self::Sha256,
            Digest::Sha384 => Self::Sha384,
            Digest::Sha512 => Self::Sha512,
        }
    }
}

impl From<KeyEncoding> for quote::KeyEncoding {
    fn from(encoding: KeyEncoding) -> Self {
        match encoding {
            KeyEncoding::SpkiDer => Self::SpkiDer,
            KeyEncoding::Sec1 => Self::Sec1,
            KeyEncoding::RawXy => Self::RawXy,
            KeyEncoding::TpmPublic => Self::TpmPublic,
            KeyEncoding::Jwk => Self::Jwk,
            KeyEncoding::CoseKey => Self::CoseKey,
        }
    }
}

//! A checkpoint: how many records there are and their tree's root, signed.
//!
//! Source: C2SP tlog-checkpoint and signed-note. The text is three lines, origin, size in decimal
//! and root in base64, then an empty line, then `— name base64(key id || signature)` lines.

use data_encoding::BASE64;

use super::key::{SigningKey, VerificationKey};
use super::merkle::Hash;

/// How many lines a checkpoint in the file has.
pub(super) const LINES: usize = 5;

/// More signature lines are not looked at.
const MAX_SIGNATURES: usize = 16;

/// A statement about the log: its first `size` lines have this root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many lines are covered.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// Why a text is not a checkpoint of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointFault {
    /// The key's signature is missing or does not hold, or the origin is another log's.
    #[error("the checkpoint is not signed by the log's key")]
    Forged,
    /// It is not a signed note with a checkpoint in it.
    #[error("the checkpoint is malformed: {0}")]
    Malformed(&'static str),
}

impl Checkpoint {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let signature = key.signature_line(&text);
        format!("{text}\n{signature}")
    }

    /// Opens a signed note: the key's signature must be on it, and the origin be the key's name.
    /// Signatures by others (witnesses) are passed over.
    ///
    /// # Errors
    /// [`CheckpointFault`]; nothing of a note that is not signed is given out.
    pub fn open(note: &str, key: &VerificationKey) -> Result<Self, CheckpointFault> {
        use CheckpointFault::{Forged, Malformed};
        let end = note.find("\n\n").ok_or(Malformed("no signature block"))?;
        let (text, signatures) =
            note.split_at_checked(end + 1).ok_or(Malformed("no signature block"))?;
        let signatures = signatures
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(Malformed("the last line does not end"))?;
        let mut signed = false;
        for line in signatures.split('\n').take(MAX_SIGNATURES) {
            let (name, blob) = line
                .strip_prefix("\u{2014} ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or(Malformed("a signature line has another form"))?;
            let blob = BASE64
                .decode(blob.as_bytes())
                .map_err(|_| Malformed("a signature is not base64"))?;
            match key.check(text, name, &blob) {
                Some(true) => signed = true,
                Some(false) => return Err(Forged),
                None => {}
            }
        }
        if !signed {
            return Err(Forged);
        }
        let checkpoint = Self::parse(text).ok_or(Malformed("the text is not a checkpoint"))?;
        if checkpoint.origin != key.name() {
            return Err(Forged);
        }
        Ok(checkpoint)
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: BASE64.decode(root.as_bytes()).ok()?.try_into().ok()?,
        };
        // One spelling only: no leading zeros or signs, no further lines.
        (checkpoint.text() == text).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::new("host.example/audit", &SigningKey::generate().unwrap()).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "host.example/audit".to_owned(), size: 42, root: [7; 32] }
    }

    #[test]
    fn a_checkpoint_survives_its_note() {
        let key = key();
        let note = checkpoint().sign(&key);
        assert_eq!(note.lines().count(), LINES);
        assert!(note.starts_with("host.example/audit\n42\nBwcH"));
        assert_eq!(Checkpoint::open(&note, key.verification()), Ok(checkpoint()));
    }

    // attack 56
    #[test]
    fn a_forged_checkpoint_is_refused() {
        let key = key();
        let note = checkpoint().sign(&key);
        for (from, to) in [("\n42\n", "\n43\n"), ("\nBwcH", "\nBwcI"), ("host.e", "host.f")] {
            let changed = note.replacen(from, to, 1);
            assert_ne!(changed, note);
            let fault = Checkpoint::open(&changed, key.verification());
            assert_eq!(fault, Err(CheckpointFault::Forged));
        }
        let other = SigningKey::new("host.example/audit", &SigningKey::generate().unwrap());
        let forged = checkpoint().sign(&other.unwrap());
        let fault = Checkpoint::open(&forged, key.verification());
        assert_eq!(fault, Err(CheckpointFault::Forged));
    }

    #[test]
    fn a_checkpoint_of_another_log_by_the_same_key_is_refused() {
        let key = key();
        let other = Checkpoint { origin: "other.example/audit".to_owned(), ..checkpoint() };
        let fault = Checkpoint::open(&other.sign(&key), key.verification());
        assert_eq!(fault, Err(CheckpointFault::Forged));
    }

    #[test]
    fn a_witness_may_sign_beside_the_log() {
        let key = key();
        let witness = SigningKey::new("witness", &SigningKey::generate().unwrap()).unwrap();
        let mut note = checkpoint().sign(&key);
        note.push_str(&witness.signature_line(&checkpoint().text()));
        assert_eq!(Checkpoint::open(&note, key.verification()), Ok(checkpoint()));
        let fault = Checkpoint::open(&checkpoint().sign(&witness), key.verification());
        assert_eq!(fault, Err(CheckpointFault::Forged));
    }

    #[test]
    fn every_cut_and_every_flip_of_a_note_is_refused() {
        let key = key();
        let note = checkpoint().sign(&key);
        for end in (0..note.len()).filter(|end| note.is_char_boundary(*end)) {
            assert!(Checkpoint::open(&note[..end], key.verification()).is_err());
        }
        for position in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[position] ^= 1;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&text, key.verification()).is_err(), "{text}");
            }
        }
    }
}

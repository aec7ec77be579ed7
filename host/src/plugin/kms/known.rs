//! What a connector knows and must not tell: secrets that were granted to it by value, and key material
//! that it looked into. Its words go to log and audit record, and parts of its answers to the caller.

use super::answer::{KmsFailure, Secrets};
use crate::secret::{Secret, spelled};

/// What stands in the place of words.
const WITHHELD: &str = "[withheld: the plugin has read a secret in this call]";

/// The secrets of one call.
pub(super) struct Known<'a> {
    /// What it could have read, now or in an earlier call.
    pub(super) granted: &'a Secrets,
    /// What it read in this call.
    pub(super) read: &'a [Secret],
}

impl Known<'_> {
    /// The plugin's words for log or record. Who has read a secret in this call says nothing more in
    /// it: it could have been cut up or encoded in any way. Otherwise nothing that repeats one.
    pub(super) fn words(&self, words: String) -> String {
        match self.read.is_empty() && !self.repeated_in(&words) {
            true => words,
            false => WITHHELD.to_owned(),
        }
    }

    /// Refuses parts of an answer that others see and that repeat a secret, or six bytes of it in a
    /// row, in one of them or over all of them. What is encoded in a way of the plugin's own is not
    /// found.
    pub(super) fn check(&self, parts: &[&str]) -> Result<(), KmsFailure> {
        let together = parts.concat();
        match self.repeated_in(&together) {
            true => Err(KmsFailure::Invalid("it repeats a secret".to_owned())),
            false => Ok(()),
        }
    }

    fn repeated_in(&self, text: &str) -> bool {
        let mut all = self.granted.values().chain(self.read);
        all.any(|secret| spelled::holds_part(text.as_bytes(), secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, HEXLOWER};

    use super::*;

    fn granted() -> Secrets {
        Secrets::from([("token".to_owned(), Secret::new(b"s.3cr3t-token".to_vec()))])
    }

    // attack 50, invariant 9
    #[test]
    fn words_that_repeat_a_secret_are_withheld_and_others_are_not() {
        let granted = granted();
        let known = Known { granted: &granted, read: &[] };
        for words in [
            "403 for token s.3cr3t-token".to_owned(),
            "it begins with s.3cr3t".to_owned(),
            BASE64.encode(b"x:s.3cr3t-token"),
            HEXLOWER.encode(b"s.3cr3t-token"),
            "s%2e3cr3t-token".to_owned(),
            format!("{:?}", b"s.3cr3t-token"),
        ] {
            assert_eq!(known.words(words.clone()), WITHHELD, "{words}");
        }
        let words = "the service answers with status 403".to_owned();
        assert_eq!(known.words(words.clone()), words);
    }

    // attack 50, invariant 9
    #[test]
    fn who_has_read_a_secret_says_nothing_more() {
        let read = [Secret::new(vec![7; 32])];
        let known = Known { granted: &Secrets::new(), read: &read };
        assert_eq!(known.words("of one letter each: s".to_owned()), WITHHELD);
        assert!(known.check(&["application/octet-stream", "2"]).is_ok());
    }

    // attack 50, invariant 9
    #[test]
    fn a_secret_over_several_parts_of_an_answer_is_found() {
        let granted = granted();
        let known = Known { granted: &granted, read: &[] };
        assert!(known.check(&["application/octet-stream", "1"]).is_ok());
        assert!(known.check(&["application/s.3cr", "3t-token"]).is_err());
        assert!(known.check(&["3t-token", "application/x", "1"]).is_err());
        let text = HEXLOWER.encode(b"s.3cr3t-token");
        let (one, other) = text.split_at(11);
        assert!(known.check(&[one, other]).is_err());
    }
}

//! A service that repeats the credential in its answer does not thereby give it to the plugin.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// What stands in a credential's place.
const MASK: &[u8] = b"[withheld]";

/// Shorter secrets are not looked for: they would be found everywhere.
const SHORTEST: usize = 6;

/// Whether the bytes hold the secret as it is.
pub(super) fn holds(bytes: &[u8], secret: &Secret) -> bool {
    find(bytes, secret.expose()).is_some()
}

/// The same bytes without the secrets.
pub(super) fn mask(mut body: Zeroizing<Vec<u8>>, secrets: &[Secret]) -> Zeroizing<Vec<u8>> {
    for secret in secrets {
        if find(&body, secret.expose()).is_none() {
            continue;
        }
        let mut masked = Zeroizing::new(Vec::with_capacity(body.len().saturating_mul(2)));
        let mut rest = body.as_slice();
        while let Some(at) = find(rest, secret.expose()) {
            let (before, found) = rest.split_at(at);
            masked.extend_from_slice(before);
            masked.extend_from_slice(MASK);
            rest = found.get(secret.len()..).unwrap_or_default();
        }
        masked.extend_from_slice(rest);
        body = masked;
    }
    body
}

fn find(bytes: &[u8], secret: &[u8]) -> Option<usize> {
    if secret.len() < SHORTEST {
        return None;
    }
    bytes.windows(secret.len()).position(|window| window == secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 50
    #[test]
    fn a_credential_in_an_answer_is_masked_wherever_it_stands() {
        let secrets = [Secret::new(b"s.3cr3t".to_vec()), Secret::new(b"x".to_vec())];
        let body =
            Zeroizing::new(br#"{"errors":["bad token s.3cr3t","s.3cr3ts.3cr3t x"]}"#.to_vec());
        let masked = mask(body, &secrets);
        let wanted = br#"{"errors":["bad token [withheld]","[withheld][withheld] x"]}"#;
        assert_eq!(masked.as_slice(), wanted);
    }
}

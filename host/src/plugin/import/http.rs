//! `http`: requests to targets that the operator granted, through the gate. What a grant withholds of
//! an answer comes as handles.

use std::time::Instant;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

use crate::egress::{Answer, EgressError, Outgoing};
use crate::plugin::import::material::Material;
use crate::plugin::kms::bindings::claviger::plugin::http::{
    Error, Form, Host, Insertion, Request, Response,
};
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::Metered;
use crate::secret::Secret;

impl Host for KmsCall {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.pass(request, Vec::new()).await
    }

    async fn send_with(
        &mut self,
        mut request: Request,
        insertions: Vec<Insertion>,
    ) -> wasmtime::Result<Result<Response, Error>> {
        let mut written = Vec::with_capacity(insertions.len());
        for Insertion { at, form, secret } in insertions {
            let secret = &self.meter().table.get(&secret)?.secret;
            written.push((
                usize::try_from(at).unwrap_or(usize::MAX),
                write(secret, form),
                secret.clone(),
            ));
        }
        let Some(body) = inserted(&request.body, &written) else {
            let why = "key material is to be inserted outside the body, or out of order";
            return Ok(Err(Error::Denied(why.into())));
        };
        request.body = body;
        let keys = written.into_iter().flat_map(|(_, text, secret)| [text, secret]);
        self.pass(request, keys.collect()).await
    }
}

impl KmsCall {
    /// Sends the request; `keys` are in it.
    async fn pass(
        &mut self,
        request: Request,
        keys: Vec<Secret>,
    ) -> wasmtime::Result<Result<Response, Error>> {
        self.meter().host_call()?;
        let ends = self.meter().ends();
        let Some(gate) = self.services().egress.clone() else {
            return Ok(Err(Error::Denied("no target is granted to this plugin".into())));
        };
        let tenant = self.tenant().map(str::to_owned);
        let sent = gate.send_with(
            Outgoing {
                method: &request.method,
                url: &request.url,
                headers: &request.headers,
                body: request.body,
                credential: request.credential.as_deref(),
                tenant: tenant.as_deref(),
                ends,
            },
            keys,
        );
        match sent.await {
            Ok(answer) => self.hand_over(answer).map(Ok),
            Err(EgressError::Timeout) if Instant::now() >= ends => {
                self.meter().in_time()?;
                Ok(Err(Error::Timeout))
            }
            Err(error) => Ok(Err(told(error))),
        }
    }

    fn hand_over(&mut self, answer: Answer) -> wasmtime::Result<Response> {
        let mut withheld = Vec::with_capacity(answer.withheld.len());
        for (pointer, secret) in answer.withheld {
            withheld.push((pointer, self.meter().push(Material::unknown(secret))?));
        }
        if let Some(release) = answer.release {
            self.came(release);
        }
        let body = answer.body.to_vec();
        Ok(Response { status: answer.status, headers: answer.headers, body, withheld })
    }
}

/// Key material as it is written.
fn write(secret: &Secret, form: Form) -> Secret {
    let bytes = secret.expose();
    let text = match form {
        Form::Base64 => BASE64.encode(bytes),
        Form::Base64url => BASE64URL_NOPAD.encode(bytes),
        Form::Hex => HEXLOWER.encode(bytes),
    };
    Secret::new(text.into_bytes())
}

/// The body with the texts at their places; none where a place is not in it, or behind a later one.
fn inserted(body: &[u8], written: &[(usize, Secret, Secret)]) -> Option<Vec<u8>> {
    let more: usize = written.iter().map(|(_, text, _)| text.len()).sum();
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut whole = Vec::with_capacity(body.len().saturating_add(more));
    let mut from = 0;
    for (at, text, _) in written {
        whole.extend_from_slice(body.get(from..*at)?);
        whole.extend_from_slice(text.expose());
        from = *at;
    }
    whole.extend_from_slice(body.get(from..)?);
    Some(whole)
}

fn told(error: EgressError) -> Error {
    match error {
        EgressError::Denied(why) => Error::Denied(why),
        EgressError::Protocol(why) => Error::Protocol(why),
        EgressError::Timeout => Error::Timeout,
        EgressError::Tls(why) => Error::Tls(why),
        EgressError::TooLarge => Error::TooLarge,
        EgressError::Unreachable(why) => Error::Unreachable(why),
        EgressError::Unresolved(why) => Error::Unresolved(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_material_stands_where_it_belongs_and_nowhere_else() {
        let key = Secret::new(vec![0xfb, 0xff]);
        let at = |at: usize, form: Form| (at, write(&key, form), key.clone());
        let body = br#"{"a":"","b":""}"#;
        let whole = inserted(body, &[at(6, Form::Base64), at(13, Form::Hex)]).unwrap();
        assert_eq!(whole, br#"{"a":"+/8=","b":"fbff"}"#);
        assert_eq!(inserted(b"", &[at(0, Form::Base64url)]).unwrap(), b"-_8");
        assert!(inserted(body, &[at(16, Form::Hex)]).is_none());
        assert!(inserted(body, &[at(13, Form::Hex), at(6, Form::Hex)]).is_none());
        assert!(inserted(body, &[at(usize::MAX, Form::Hex)]).is_none());
    }
}

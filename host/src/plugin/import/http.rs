//! `http`: requests to targets that the operator granted, through the gate. What a grant withholds of
//! an answer comes as handles.

use std::time::Instant;

use crate::egress::{Answer, EgressError, Outgoing};
use crate::plugin::import::material::Material;
use crate::plugin::kms::bindings::claviger::plugin::http::{Error, Host, Request, Response};
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::Metered;

impl Host for KmsCall {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.meter().host_call()?;
        let ends = self.meter().ends();
        let Some(gate) = self.services().egress.clone() else {
            return Ok(Err(Error::Denied("no target is granted to this plugin".into())));
        };
        let tenant = self.tenant().map(str::to_owned);
        let sent = gate.send(Outgoing {
            method: &request.method,
            url: &request.url,
            headers: &request.headers,
            body: request.body,
            credential: request.credential.as_deref(),
            tenant: tenant.as_deref(),
            ends,
        });
        match sent.await {
            Ok(answer) => self.hand_over(answer).map(Ok),
            Err(EgressError::Timeout) if Instant::now() >= ends => {
                self.meter().in_time()?;
                Ok(Err(Error::Timeout))
            }
            Err(error) => Ok(Err(told(error))),
        }
    }
}

impl KmsCall {
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

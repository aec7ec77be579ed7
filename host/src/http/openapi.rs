//! The API's description, made from the handlers and their types by a test, which compares it with the
//! copy in the repository, so that no change goes unseen. The copy is what is served: what makes it is
//! in no binary.

use std::fmt::Write;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, Schema, path::Operation};
use utoipa::{Modify, OpenApi};

use super::problem::{PROBLEM_JSON, Problem};
use super::{admin, native};
use crate::error::Code;

/// The document, as JSON.
pub(super) const fn document() -> &'static str {
    include_str!("openapi.json")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger",
        description = "Secure key release: attestation evidence in, a wrapped key out.\n\nEvery path under `/v1` exists for each tenant under `/t/{tenant}/v1`. Paths tagged `administration` are served on their own address and need an administrator's bearer token or client certificate. Byte strings are base64url without padding, moments RFC 3339.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        native::challenges::create,
        native::attestations::create,
        native::release::create,
        native::release::secret,
        native::status::health,
        native::status::jwks,
        native::status::discovery,
        native::status::openapi,
        admin::keys::list,
        admin::keys::create,
        admin::keys::read,
        admin::keys::delete,
        admin::release_policy::read,
        admin::release_policy::set,
        admin::versions::list,
        admin::versions::rotate,
        admin::versions::enable,
        admin::versions::disable,
        admin::vault::keys::put,
        admin::vault::details::read,
        admin::vault::details::change,
        admin::vault::operations::perform,
        admin::vault::rotation_policy::read,
        admin::vault::rotation_policy::set,
        admin::vault::backups::of_key,
        admin::vault::backups::key,
        admin::vault::backups::of_secret,
        admin::vault::backups::secret,
        admin::vault::deleted_keys::delete,
        admin::vault::deleted_keys::list,
        admin::vault::deleted_keys::read,
        admin::vault::deleted_keys::recover,
        admin::vault::deleted_keys::purge,
        admin::vault::secrets::list,
        admin::vault::secrets::set,
        admin::vault::secrets::read,
        admin::vault::secrets::change,
        admin::vault::secrets::versions,
        admin::vault::secrets::set_release_policy,
        admin::vault::deleted_secrets::delete,
        admin::vault::deleted_secrets::list,
        admin::vault::deleted_secrets::read,
        admin::vault::deleted_secrets::recover,
        admin::vault::deleted_secrets::purge,
        admin::plugins::list,
        admin::plugins::install,
        admin::plugins::swap,
        admin::plugins::roll_back,
        admin::plugins::choose,
        admin::plugins::disable,
        admin::references::list,
        admin::references::add,
        admin::references::history,
        admin::references::read,
        admin::references::revoke,
        admin::requests::read,
        admin::token_keys::list,
        admin::token_keys::rotate,
        admin::audit::checkpoint,
    ),
    components(schemas(Problem)),
    modifiers(&Credentials, &Problems),
)]
struct Document;

/// Administration needs a credential.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("administrator", SecurityScheme::Http(scheme));
        let mutual_tls = SecurityScheme::MutualTls {
            description: Some("A certificate that the operators' authority issued.".to_owned()),
            extensions: None,
        };
        components.add_security_scheme("clientCertificate", mutual_tls);
        // Either will do.
        let requirements = ["administrator", "clientCertificate"]
            .map(|scheme| SecurityRequirement::new::<_, _, String>(scheme, []));
        for operation in operations(document) {
            let tags = operation.tags.iter().flatten();
            if tags.into_iter().any(|tag| tag == "administration") {
                operation.security = Some(requirements.to_vec());
            }
        }
    }
}

/// Every operation may be refused, and every code is told.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for operation in operations(document) {
            for range in ["4XX", "5XX"] {
                let content =
                    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                let response = ResponseBuilder::new()
                    .description("Refused; see `Problem`.")
                    .content(PROBLEM_JSON, content)
                    .build();
                operation.responses.responses.insert(range.to_owned(), response.into());
            }
        }
        let components = document.components.get_or_insert_default();
        if let Some(RefOr::T(Schema::Object(problem))) = components.schemas.get_mut("Problem")
            && let Some(RefOr::T(Schema::Object(code))) = problem.properties.get_mut("code")
        {
            let mut description = "Stable; what a program should look at.\n".to_owned();
            for code in Code::ALL {
                let (status, title) = (code.status(), code.title());
                let _ = write!(description, "\n- `{code}` ({status}): {title}.");
            }
            code.description = Some(description);
            code.enum_values = Some(Code::ALL.iter().map(|code| code.as_str().into()).collect());
        }
    }
}

fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
            .into_iter()
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_is_the_one_in_the_repository() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/openapi.json");
        let current = format!("{}\n", made());
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
            std::fs::write(path, &current).unwrap();
        }
        let recorded = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            recorded == current,
            "the API changed; look at it, then run this test with UPDATE_SNAPSHOTS=1"
        );
    }

    fn made() -> String {
        Document::openapi().to_pretty_json().unwrap()
    }

    fn parsed() -> serde_json::Value {
        serde_json::from_str(&made()).unwrap()
    }

    #[test]
    fn what_is_routed_is_what_is_described() {
        let under_v1 = native::ROUTES.iter().chain(admin::ROUTES);
        let mut routed: BTreeSet<_> =
            under_v1.map(|(method, path)| format!("{method} /v1{path}")).collect();
        routed.extend([native::JWKS, native::DISCOVERY].map(|path| format!("get {path}")));
        let document = parsed();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        assert_eq!(routed, described);
    }

    // attack 60
    #[test]
    fn administration_is_described_as_needing_a_credential() {
        let document = parsed();
        for (method, path) in admin::ROUTES {
            let operation = &document["paths"][format!("/v1{path}")][method];
            let open = operation["tags"][0] == "status";
            let schemes = operation["security"].as_array().map_or(0, Vec::len);
            assert_eq!(schemes, if open { 0 } else { 2 }, "{method} {path}");
        }
    }

    #[test]
    fn every_code_is_described() {
        let document = parsed();
        let code = &document["components"]["schemas"]["Problem"]["properties"]["code"];
        let described: Vec<_> = code["enum"].as_array().unwrap().iter().collect();
        assert_eq!(described.len(), Code::ALL.len());
        for code_known in Code::ALL {
            let text = code["description"].as_str().unwrap();
            assert!(text.contains(code_known.as_str()) && text.contains(code_known.title()));
        }
    }
}

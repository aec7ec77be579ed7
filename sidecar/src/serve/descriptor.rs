//! What reflection says of the service: `key_provider.proto` as protobuf describes files
//! (`google/protobuf/descriptor.proto`, `FileDescriptorProto`).

use super::grpc::write;

/// The file's name.
pub(super) const FILE: &str = "key_provider.proto";

/// The service's whole name.
pub(super) const SERVICE: &str = "key_provider.KeyProviderService";

const PACKAGE: &str = "key_provider";

/// Types of fields (`FieldDescriptorProto.Type`).
const STRING: u8 = 9;
const BYTES: u8 = 12;

/// Messages: their names and fields, numbered from 1.
const MESSAGES: [(&str, &[(&str, u8)]); 8] = [
    ("HelloRequest", &[("name", STRING)]),
    ("HelloReply", &[("message", STRING)]),
    ("KeyProviderKeyWrapProtocolInput", &[("key_provider_key_wrap_protocol_input", BYTES)]),
    ("KeyProviderKeyWrapProtocolOutput", &[("key_provider_key_wrap_protocol_output", BYTES)]),
    ("KeyProviderGetReportInput", &[("report_data_hex_string", STRING)]),
    ("KeyProviderGetReportOutput", &[("report_hex_string", STRING)]),
    ("KeyProviderGetAttestationDataInput", &[("b64_runtime_data_string", STRING)]),
    (
        "KeyProviderGetAttestationDataOutput",
        &[
            ("endorsed_tcb", STRING),
            ("certs", STRING),
            ("attestation_report", STRING),
            ("uvm_reference_info", STRING),
        ],
    ),
];

/// Methods: their names, what goes in, what comes out.
const METHODS: [(&str, &str, &str); 5] = [
    ("SayHello", "HelloRequest", "HelloReply"),
    ("WrapKey", "KeyProviderKeyWrapProtocolInput", "KeyProviderKeyWrapProtocolOutput"),
    ("UnWrapKey", "KeyProviderKeyWrapProtocolInput", "KeyProviderKeyWrapProtocolOutput"),
    ("GetReport", "KeyProviderGetReportInput", "KeyProviderGetReportOutput"),
    (
        "GetAttestationData",
        "KeyProviderGetAttestationDataInput",
        "KeyProviderGetAttestationDataOutput",
    ),
];

/// Whether a name is one of the file's: the service, a method of it, a message or a field of one.
pub(super) fn has(symbol: &str) -> bool {
    let Some(rest) = symbol.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('.')) else {
        return false;
    };
    let (outer, inner) = match rest.split_once('.') {
        None => (rest, None),
        Some((outer, inner)) => (outer, Some(inner)),
    };
    if symbol.strip_prefix(SERVICE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return inner.is_none_or(|inner| METHODS.iter().any(|(name, ..)| *name == inner));
    }
    MESSAGES
        .iter()
        .filter(|(name, _)| *name == outer)
        .any(|(_, fields)| inner.is_none_or(|inner| fields.iter().any(|(name, _)| *name == inner)))
}

/// The file as a `FileDescriptorProto`.
pub(super) fn file() -> Vec<u8> {
    let mut file = [write(1, FILE.as_bytes()), write(2, PACKAGE.as_bytes())].concat();
    for (name, fields) in MESSAGES {
        let mut message = write(1, name.as_bytes());
        for (number, (name, kind)) in (1..).zip(fields) {
            let mut field = write(1, name.as_bytes());
            // number, label (optional) and type: varints below 128.
            field.extend([3 << 3, number, 4 << 3, 1, 5 << 3, *kind]);
            message.extend(write(2, &field));
        }
        file.extend(write(4, &message));
    }
    let mut service = write(1, b"KeyProviderService");
    for (name, input, output) in METHODS {
        let of = |message: &str| format!(".{PACKAGE}.{message}");
        let method = [
            write(1, name.as_bytes()),
            write(2, of(input).as_bytes()),
            write(3, of(output).as_bytes()),
        ];
        service.extend(write(2, &method.concat()));
    }
    file.extend(write(6, &service));
    file.extend(write(12, b"proto3"));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_of_the_file_or_is_not() {
        for symbol in [
            "key_provider.KeyProviderService",
            "key_provider.KeyProviderService.GetReport",
            "key_provider.HelloRequest",
            "key_provider.HelloRequest.name",
        ] {
            assert!(has(symbol), "{symbol}");
        }
        for symbol in [
            "",
            "key_provider",
            "key_provider.",
            "key_provider.KeyProviderServiceX",
            "key_provider.KeyProviderService.Nothing",
            "key_provider.HelloRequest.message",
            "keyprovider.KeyProviderService",
            "grpc.reflection.v1.ServerReflection",
        ] {
            assert!(!has(symbol), "{symbol}");
        }
    }
}

"""The sidecar's gRPC service by grpcio and protobuf: address, the model's endpoint, its authority, the
folder of keys to wrap with."""

import base64
import hashlib
import json
import ssl
import sys
import urllib.request
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

address, endpoint, authority, keys = sys.argv[1:]
file = descriptor_pb2.FileDescriptorProto(name="key_provider.proto", package="key_provider", syntax="proto3")
KINDS = {
    "Input": [("key_provider_key_wrap_protocol_input", "BYTES")],
    "Output": [("key_provider_key_wrap_protocol_output", "BYTES")],
    "ReportRequest": [("report_data_hex_string", "STRING")],
    "Report": [("report_hex_string", "STRING")],
    "DataRequest": [("b64_runtime_data_string", "STRING")],
    "Data": [(name, "STRING") for name in ("endorsed_tcb", "certs", "attestation_report", "uvm_reference_info")],
    "HelloRequest": [("name", "STRING")],
    "Hello": [("message", "STRING")],
}
for name, fields in KINDS.items():
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields, 1):
        message.field.add(name=field, number=number, label=1, type=getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}"))
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
kinds = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"key_provider.{name}")) for name in KINDS}
channel = grpc.insecure_channel(address)


def call(method, request, answer, **fields):
    stub = channel.unary_unary(
        f"/key_provider.KeyProviderService/{method}",
        request_serializer=kinds[request].SerializeToString,
        response_deserializer=kinds[answer].FromString,
    )
    return stub(kinds[request](**fields), timeout=60)


def fails(code, *arguments, **fields):
    try:
        call(*arguments, **fields)
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error.details()
    raise AssertionError("a failure was expected")


def b64(data):
    return base64.b64encode(data).decode()


assert call("SayHello", "HelloRequest", "Hello", name="you").message == "Hello you"
text = "ab" * 64
report = bytes.fromhex(call("GetReport", "ReportRequest", "Report", report_data_hex_string=text).report_hex_string)
assert len(report) == 1184 and report[80:112] == hashlib.sha256(text.encode()).digest()
data = call("GetAttestationData", "DataRequest", "Data", b64_runtime_data_string=b64(b"mine"))
assert base64.b64decode(data.attestation_report)[80:112] == hashlib.sha256(b"mine").digest()
assert base64.b64decode(data.certs).startswith(b"-----BEGIN CERTIFICATE")
fails(grpc.StatusCode.INVALID_ARGUMENT, "GetAttestationData", "DataRequest", "Data", b64_runtime_data_string="*")
fails(grpc.StatusCode.UNIMPLEMENTED, "Nothing", "HelloRequest", "Hello", name="you")

# Reflection, by grpcio's own client of it: both versions, and questions one after the other in one stream.
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (  # noqa: E402
    ProtoReflectionDescriptorDatabase,
)

database = ProtoReflectionDescriptorDatabase(channel)
assert list(database.get_services()) == ["key_provider.KeyProviderService"]
described = descriptor_pool.DescriptorPool(database)
service = described.FindServiceByName("key_provider.KeyProviderService")
assert [method.name for method in service.methods] == [
    "SayHello", "WrapKey", "UnWrapKey", "GetReport", "GetAttestationData"]
hello = service.FindMethodByName("SayHello")
request = message_factory.GetMessageClass(hello.input_type)(name="reflection")
stub = channel.unary_unary(
    "/key_provider.KeyProviderService/SayHello",
    request_serializer=lambda message: message.SerializeToString(),
    response_deserializer=message_factory.GetMessageClass(hello.output_type).FromString)
assert stub(request, timeout=60).message == "Hello reflection"
for method, inner, outer in (("WrapKey",) + ("key_provider_key_wrap_protocol",) * 2,
                             ("GetAttestationData", "b64_runtime_data_string", "uvm_reference_info")):
    found = service.FindMethodByName(method)
    assert any(field.name.startswith(inner) for field in found.input_type.fields), method
    assert any(field.name.startswith(outer) for field in found.output_type.fields), method
try:
    described.FindServiceByName("key_provider.Nothing")
    raise AssertionError("there is no such service")
except KeyError:
    pass


def turns(path):
    """Each question is sent when the answer to the one before is there, as grpcurl does."""
    import queue

    questions = queue.Queue()
    ask = channel.stream_stream(
        path,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    answers = ask(iter(questions.get, None), timeout=30)
    for name, kind in (("list_services", "list_services_response"),
                       ("file_containing_symbol", "file_descriptor_response"),
                       ("file_by_filename", "error_response")):
        value = {"file_containing_symbol": "key_provider.KeyProviderService.GetReport"}.get(name, "x")
        questions.put(reflection_pb2.ServerReflectionRequest(host="h", **{name: value}))
        answer = next(answers)
        assert answer.WhichOneof("message_response") == kind and answer.valid_host == "h", answer
        assert getattr(answer.original_request, name) == value, answer
    questions.put(None)
    assert list(answers) == [] and answers.code() == grpc.StatusCode.OK


for version in ("v1", "v1alpha"):
    turns(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

# An RSA key in the vault, which its policy releases to what the model attests.
key = rsa.generate_private_key(65537, 3072)
numbers, public = key.private_numbers(), key.public_key().public_numbers()


def b64u(value):
    data = value if isinstance(value, bytes) else value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


jwk = {"kty": "RSA", "n": b64u(public.n), "e": b64u(public.e), "d": b64u(numbers.d), "p": b64u(numbers.p),
       "q": b64u(numbers.q), "dp": b64u(numbers.dmp1), "dq": b64u(numbers.dmq1), "qi": b64u(numbers.iqmp)}
policy = {"version": "1.0.0", "anyOf": [{"authority": f"https://{endpoint}",
          "allOf": [{"claim": "x-ms-attestation-type", "equals": "sevsnpvm"}]}]}
body = {"key": jwk, "hsm": True, "attributes": {"exportable": True},
        "release_policy": {"data": b64u(json.dumps(policy).encode())}}
request = urllib.request.Request(
    f"https://{endpoint}/keys/image?api-version=7.4", json.dumps(body).encode(), method="PUT",
    headers={"authorization": "Bearer x", "content-type": "application/json"})
urllib.request.urlopen(request, context=ssl.create_default_context(cafile=authority)).read()
folder = Path(keys)
(folder / "image.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
info = {"public_key_path": "image.pem", "kms_endpoint": endpoint, "attester_endpoint": endpoint}
(folder / "image-info.json").write_text(json.dumps(info))

secret = b"the key of an image's layer"
wrap = {"op": "keywrap", "keywrapparams": {"ec": {"Parameters": {"attestation-agent": [b64(b"skr:/keys/image")]}},
        "optsdata": b64(secret)}, "keyunwrapparams": {}}
output = call("WrapKey", "Input", "Output", key_provider_key_wrap_protocol_input=json.dumps(wrap).encode())
annotation = json.loads(output.key_provider_key_wrap_protocol_output)["keywrapresults"]["annotation"]


def unwrap(annotation):
    dc = {"Parameters": {"attestation-agent": [b64(b"skr")]}}
    return json.dumps({"op": "keyunwrap", "keywrapparams": {},
                       "keyunwrapparams": {"dc": dc, "annotation": annotation}}).encode()


output = call("UnWrapKey", "Input", "Output", key_provider_key_wrap_protocol_input=unwrap(annotation))
results = json.loads(output.key_provider_key_wrap_protocol_output)
assert base64.b64decode(results["keyunwrapresults"]["optsdata"]) == secret
other = json.loads(base64.b64decode(annotation)) | {"kid": "absent"}
details = fails(grpc.StatusCode.FAILED_PRECONDITION, "UnWrapKey", "Input", "Output",
                key_provider_key_wrap_protocol_input=unwrap(b64(json.dumps(other).encode())))
assert "KeyNotFound" in details, details
wrap["keywrapparams"]["ec"]["Parameters"]["attestation-agent"] = [b64(b"skr:../../etc/passwd")]
fails(grpc.StatusCode.INVALID_ARGUMENT, "WrapKey", "Input", "Output",
      key_provider_key_wrap_protocol_input=json.dumps(wrap).encode())
print("done")

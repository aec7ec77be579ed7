"""Microsoft's own clients against a development host, as their documentation has them used.

First it is the attestation service and the identity endpoint of a virtual machine, both tiny and on loopback;
it prints where as one line of JSON. Then it reads one line of JSON, which says where the host serves, and is
the clients. It prints the name of each thing that went well, and stops at the first that does not.
"""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import secrets
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A name below `localhost` is this machine (RFC 6761, section 6.3); not every resolver knows it.
resolve = socket.getaddrinfo


def loopback(host, *more, **named):
    below = isinstance(host, str) and host.endswith(".localhost")
    return resolve("127.0.0.1" if below else host, *more, **named)


socket.getaddrinfo = loopback


def text(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


# ------------------------------------------------------------------ the services of the test


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attestation of the tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return key, builder.sign(key, hashes.SHA256())


class Attestation:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        folder = tempfile.mkdtemp()
        key, leaf = certificate()
        self.ca = os.path.join(folder, "ca.pem")
        both = leaf.public_bytes(serialization.Encoding.PEM)
        with open(self.ca, "wb") as file:
            file.write(both)
        private = os.path.join(folder, "key.pem")
        with open(private, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM,
                                         serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, private)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def handler(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                public = service.key.public_key().public_numbers()
                answers = {
                    "/.well-known/openid-configuration": {
                        "issuer": service.url, "jwks_uri": service.url + "/certs"},
                    "/certs": {"keys": [{"kty": "RSA", "kid": "one", "use": "sig",
                                         "n": number(public.n), "e": number(public.e)}]},
                }
                answer = answers.get(self.path)
                body = json.dumps(answer).encode()
                self.send_response(200 if answer else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def token(self, claims):
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "one", "jku": self.url + "/certs"}
        claims = {"iss": self.url, "iat": now, "nbf": now, "exp": now + 600, **claims}
        signed = ".".join(text(json.dumps(part).encode()) for part in (header, claims))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{text(signature)}"


class Metadata:
    """The identity endpoint of a virtual machine: it gives a token for any resource."""

    def __init__(self):
        service = self
        self.token, self.asked = None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                resource = query.get("resource", [""])[0]
                service.asked.append(resource)
                good = self.headers.get("Metadata") == "true"
                answer = {"error": "invalid_request"}
                if good:
                    until = int(time.time()) + 86399
                    answer = {"access_token": service.token, "client_id": "", "resource": resource,
                              "expires_in": "86399", "expires_on": str(until),
                              "token_type": "Bearer"}
                body = json.dumps(answer).encode()
                self.send_response(200 if good else 400)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


attestation, metadata = Attestation(), Metadata()
print(json.dumps({"authority": attestation.url, "ca": attestation.ca}), flush=True)
told = json.loads(sys.stdin.readline())
metadata.token = told["token"]
port, ca = told["port"], told["ca"]
url = f"https://vault.localhost:{port}"

from azure.core.exceptions import (ClientAuthenticationError, HttpResponseError,  # noqa: E402
                                   ResourceExistsError, ResourceNotFoundError)
from azure.identity import ManagedIdentityCredential  # noqa: E402
from azure.keyvault.keys import (ApiVersion, KeyClient, KeyOperation,  # noqa: E402
                                 KeyReleasePolicy, KeyRotationLifetimeAction,
                                 KeyRotationPolicy, JsonWebKey)
from azure.keyvault.keys.crypto import (CryptographyClient, EncryptionAlgorithm,  # noqa: E402
                                        KeyWrapAlgorithm, SignatureAlgorithm)
from azure.keyvault.secrets import SecretClient  # noqa: E402

credential = ManagedIdentityCredential()
settings = {"connection_verify": ca, "retry_total": 0}


def went(name):
    print(name, flush=True)


def refused(kind, call, code=None):
    try:
        call()
    except kind as error:
        assert code is None or error.error.code == code, (error.error.code, code)
        return error
    raise AssertionError(f"{kind} expected")


# ------------------------------------------------------------------ keys

keys = KeyClient(url, credential, **settings)
made = keys.create_rsa_key("rsa", size=2048, tags={"a": "b"}, hardware_protected=True)
assert made.key_type == "RSA-HSM" and made.id.startswith(url + "/keys/rsa/"), made.id
assert made.key.d is None and made.properties.tags == {"a": "b"}
assert metadata.asked == [f"https://localhost:{port}"], metadata.asked
ecc = keys.create_ec_key("ec", curve="P-256")
went("create")

assert keys.get_key("rsa").id == made.id
assert keys.get_key("rsa", made.properties.version).id == made.id
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=100)
until = until.replace(microsecond=0)
changed = keys.update_key_properties("rsa", expires_on=until, tags={"c": "d"})
assert changed.properties.expires_on == until and changed.properties.tags == {"c": "d"}
went("get and update")

for count in range(27):
    keys.create_key(f"many-{count:02}", "oct-HSM", size=256)
names = [key.name for key in keys.list_properties_of_keys()]
assert len(names) == 29 and len(set(names)) == 29, names
went("list in pages")

local = rsa.generate_private_key(65537, 2048)
private = local.private_numbers()
given = JsonWebKey(kty="RSA", key_ops=["decrypt", "encrypt", "sign", "verify"],
                   n=private.public_numbers.n.to_bytes(256, "big"),
                   e=b"\x01\x00\x01", d=private.d.to_bytes(256, "big"),
                   p=private.p.to_bytes(128, "big"), q=private.q.to_bytes(128, "big"),
                   dp=private.dmp1.to_bytes(128, "big"), dq=private.dmq1.to_bytes(128, "big"),
                   qi=private.iqmp.to_bytes(128, "big"))
imported = keys.import_key("imported", given, hardware_protected=True)
assert imported.key.n == private.public_numbers.n.to_bytes(256, "big")
# Brought along wrapped, in a package such as an HSM vendor's tool makes for an exchange key of the vault.
exchange = keys.create_rsa_key("exchange", size=2048, hardware_protected=True,
                               key_operations=[KeyOperation.import_key])
public = rsa.RSAPublicNumbers(int.from_bytes(exchange.key.e, "big"),
                              int.from_bytes(exchange.key.n, "big")).public_key()
between = os.urandom(32)
wrapped = public.encrypt(between, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
wrapped += keywrap.aes_key_wrap_with_padding(between, local.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
package = {"schema_version": "1.0.0", "generator": "tests",
           "header": {"kid": exchange.id, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
           "ciphertext": text(wrapped)}
package = JsonWebKey(kty="RSA-HSM", key_ops=["sign", "verify"], t=json.dumps(package).encode())
brought = keys.import_key("brought", package)
assert brought.key.n == imported.key.n and brought.key_type == "RSA-HSM"
# Once more: a further version.
again = keys.import_key("brought", package)
assert again.properties.version != brought.properties.version and again.key.n == imported.key.n
for name in ("brought", "exchange"):
    keys.begin_delete_key(name).wait()
    keys.purge_deleted_key(name)
went("import")

crypto = CryptographyClient(made, credential, **settings)
for algorithm in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256):
    sealed = crypto.encrypt(algorithm, b"plaintext")
    assert crypto.decrypt(algorithm, sealed.ciphertext).plaintext == b"plaintext"
for algorithm in (KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256):
    sealed = crypto.wrap_key(algorithm, bytes(32))
    assert crypto.unwrap_key(algorithm, sealed.encrypted_key).key == bytes(32)
digests = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
for name in ("rs256", "rs384", "rs512", "ps256", "ps384", "ps512"):
    digest = digests[name[2:]](b"message").digest()
    signature = crypto.sign(getattr(SignatureAlgorithm, name), digest).signature
    assert crypto.verify(getattr(SignatureAlgorithm, name), digest, signature).is_valid, name
# What leaves the client is checked by the public part alone.
crypto = CryptographyClient(ecc, credential, **settings)
signature = crypto.sign(SignatureAlgorithm.es256, digests["256"](b"message").digest()).signature
assert len(signature) == 64
assert crypto.verify(SignatureAlgorithm.es256, digests["256"](b"message").digest(), signature).is_valid
crypto = CryptographyClient(imported, credential, **settings)
sealed = local.public_key().encrypt(b"for the imported key", padding.OAEP(
    padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
opened = crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed).plaintext
assert opened == b"for the imported key"
symmetric = CryptographyClient(keys.get_key("many-00"), credential, **settings)
sealed = symmetric.encrypt(EncryptionAlgorithm.a256_gcm, b"text", additional_authenticated_data=b"aad")
opened = symmetric.decrypt(EncryptionAlgorithm.a256_gcm, sealed.ciphertext, iv=sealed.iv,
                           authentication_tag=sealed.tag, additional_authenticated_data=b"aad")
assert opened.plaintext == b"text"
# Not its wrap_key: without the key's octets this client wraps under some of its own.
assert len(keys.get_random_bytes(32)) == 32
went("cryptography")

rotated = keys.rotate_key("ec")
assert rotated.properties.version != ecc.properties.version and rotated.key.x != ecc.key.x
versions = {key.version for key in keys.list_properties_of_key_versions("ec")}
assert versions == {rotated.properties.version, ecc.properties.version}
policy = keys.update_key_rotation_policy("ec", KeyRotationPolicy(
    expires_in="P90D",
    lifetime_actions=[KeyRotationLifetimeAction("Rotate", time_before_expiry="P30D")]))
assert policy.expires_in == "P90D" and policy.id.endswith("/keys/ec/rotationpolicy")
read = keys.get_key_rotation_policy("ec")
assert read.lifetime_actions[0].time_before_expiry == "P30D"
went("rotate")

backup = keys.backup_key("imported")
deleted = keys.begin_delete_key("imported").result()
assert deleted.recovery_id == url + "/deletedkeys/imported" and deleted.deleted_date
assert [key.name for key in keys.list_deleted_keys()] == ["imported"]
refused(ResourceExistsError, lambda: keys.restore_key_backup(backup))
refused(ResourceExistsError, lambda: keys.create_rsa_key("imported"))
assert keys.begin_recover_deleted_key("imported").result().id == imported.id
keys.begin_delete_key("imported").wait()
keys.purge_deleted_key("imported")
refused(ResourceNotFoundError, lambda: keys.get_deleted_key("imported"), "KeyNotFound")
restored = keys.restore_key_backup(backup)
assert restored.id == imported.id and restored.key.n == imported.key.n
went("delete, recover, purge, backup, restore")

refused(ResourceNotFoundError, lambda: keys.get_key("nothing"), "KeyNotFound")
refused(HttpResponseError, lambda: keys.create_ec_key("bad", curve="P-256K"), "BadParameter")
off = keys.update_key_properties("many-01", enabled=False)
assert off.properties.enabled is False
off = CryptographyClient(keys.get_key("many-01"), credential, **settings)
error = refused(HttpResponseError, lambda: off.encrypt(EncryptionAlgorithm.a256_gcm, bytes(32)))
assert error.status_code == 403 and error.error.code == "Forbidden"
metadata.token = "a-token-that-nobody-is-known-by"
stranger = KeyClient(url, ManagedIdentityCredential(), **settings)
refused(ClientAuthenticationError, lambda: stranger.get_key("rsa"))
metadata.token = told["token"]
went("errors")

# ------------------------------------------------------------------ secrets

vault = SecretClient(url, credential, **settings)
first = vault.set_secret("password", "hunter2", content_type="text/plain", tags={"a": "b"})
second = vault.set_secret("password", "hunter3")
assert vault.get_secret("password").value == "hunter3"
assert vault.get_secret("password", first.properties.version).value == "hunter2"
assert [item.name for item in vault.list_properties_of_secrets()] == ["password"]
assert len(list(vault.list_properties_of_secret_versions("password"))) == 2
vault.update_secret_properties("password", first.properties.version, enabled=False)
refused(HttpResponseError, lambda: vault.get_secret("password", first.properties.version), "Forbidden")
backup = vault.backup_secret("password")
vault.begin_delete_secret("password").wait()
assert [item.name for item in vault.list_deleted_secrets()] == ["password"]
vault.begin_recover_deleted_secret("password").wait()
vault.begin_delete_secret("password").wait()
vault.purge_deleted_secret("password")
refused(ResourceNotFoundError, lambda: vault.get_secret("password"), "SecretNotFound")
assert vault.restore_secret_backup(backup).id == second.id
assert vault.get_secret("password").value == "hunter3"
went("secrets")

# ------------------------------------------------------------------ release


def release_policy(value):
    policy = {"version": "1.0.0", "anyOf": [{"authority": attestation.url + "/", "allOf": [
        {"claim": "x-ms-isolation-tee.x-ms-attestation-type", "equals": value},
        {"claim": "sdk-test", "equals": "true"}]}]}
    return KeyReleasePolicy(json.dumps(policy).encode())


recipient = rsa.generate_private_key(65537, 2048)
public = recipient.public_key().public_numbers()
runtime = {"keys": [{"kty": "RSA", "kid": "kek", "key_ops": ["encrypt"],
                     "n": number(public.n), "e": number(public.e)}]}
target = attestation.token({"sdk-test": True, "x-ms-runtime": runtime,
                            "x-ms-isolation-tee": {"x-ms-attestation-type": "sevsnpvm"}})


def verified(jws, host, trusted):
    """As the confidential sidecar verifies it (pkg/skr): step by step, and no step left out."""
    header, payload, signature = jws.split(".")
    head = json.loads(octets(header))
    chain = [x509.load_der_x509_certificate(base64.b64decode(one)) for one in head["x5c"]]
    leaf, between = chain[0], chain[1:-1]
    key = leaf.public_key()
    assert head["alg"] == "RS256" and isinstance(key, rsa.RSAPublicKey)
    key.verify(octets(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = leaf
    while True:
        assert subject.not_valid_before_utc <= now <= subject.not_valid_after_utc
        issuers = [one for one in trusted + between if one.subject == subject.issuer]
        assert issuers, "no issuer"
        subject.verify_directly_issued_by(issuers[0])
        if issuers[0] in trusted:
            break
        subject = issuers[0]
        constraints = subject.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert constraints.ca
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in usage
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert host in names.get_values_for_type(x509.DNSName), host
    return json.loads(octets(payload))


def unwrapped(payload):
    hashed = {"CKM_RSA_AES_KEY_WRAP": hashes.SHA1, "RSA_AES_KEY_WRAP_256": hashes.SHA256,
              "RSA_AES_KEY_WRAP_384": hashes.SHA384}[payload["request"]["enc"]]
    wrapped = json.loads(octets(payload["response"]["key"]["key"]["key_hsm"]))
    assert wrapped["header"]["kid"] == "kek"
    ciphertext = octets(wrapped["ciphertext"])
    kek = recipient.decrypt(ciphertext[:256], padding.OAEP(padding.MGF1(hashed()), hashed(), None))
    return keywrap.aes_key_unwrap_with_padding(kek, ciphertext[256:])


with open(ca, "rb") as file:
    trusted = x509.load_pem_x509_certificates(file.read())
exportable = keys.import_key("exportable", given, hardware_protected=True, exportable=True,
                             release_policy=release_policy("sevsnpvm"))
assert exportable.properties.exportable and exportable.properties.release_policy.encoded_policy
generated = keys.create_key("generated", "oct-HSM", size=256, exportable=True,
                            release_policy=release_policy("sevsnpvm"))
for algorithm in (None, "CKM_RSA_AES_KEY_WRAP", "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384"):
    more = {"algorithm": algorithm} if algorithm else {}
    result = keys.release_key("exportable", target, nonce="a nonce", **more)
    payload = verified(result.value, f"vault.localhost:{port}", trusted)
    assert payload["request"]["nonce"] == "a nonce"
    assert payload["request"]["enc"] == (algorithm or "CKM_RSA_AES_KEY_WRAP")
    came = serialization.load_der_private_key(unwrapped(payload), None)
    assert came.private_numbers() == private
result = keys.release_key("generated", target, version=generated.properties.version)
raw = unwrapped(verified(result.value, f"vault.localhost:{port}", trusted))
assert len(raw) == 32
# The released key is the one that works inside.
inside = CryptographyClient(generated, credential, **settings)
sealed = inside.encrypt(EncryptionAlgorithm.a256_gcm, b"text")
assert AESGCM(raw).decrypt(sealed.iv, sealed.ciphertext + sealed.tag, None) == b"text"
went("release")

refused(HttpResponseError, lambda: keys.release_key("rsa", target), "Forbidden")
refused(HttpResponseError, lambda: keys.release_key("exportable", target[:-8] + "AAAAAAAA"), "Forbidden")
refused(ResourceNotFoundError, lambda: keys.release_key("nothing", target), "KeyNotFound")
keys.update_key_properties("exportable", release_policy=release_policy("tdxvm"))
error = refused(HttpResponseError, lambda: keys.release_key("exportable", target), "Forbidden")
assert "does not meet key release policy requirements" in error.message
refused(HttpResponseError, lambda: keys.create_key("x", "EC", exportable=True), "BadParameter")
went("refused releases")

for version in (ApiVersion.V7_3, ApiVersion.V7_4):
    assert KeyClient(url, credential, api_version=version, **settings).get_key("rsa").name == "rsa"
plain = KeyClient(f"https://localhost:{port}", credential, verify_challenge_resource=False, **settings)
assert plain.get_key("rsa").id.startswith(f"https://localhost:{port}/keys/rsa/")
went("other versions, other names")

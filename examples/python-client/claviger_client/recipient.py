"""The recipient key: a key pair of the workload's own, to which a host wraps what it releases."""

import hashlib
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from .encoding import decode, encode, member, parse
from .errors import ProtocolError

_LARGEST = 1 << 20
_HEADER = {"alg", "enc", "kid", "cty", "epk", "apu", "apv", "claviger"}


def _number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class RecipientKey:
    """A fresh key pair of a kind: ``X25519``, ``P-256`` or ``RSA``."""

    def __init__(self, kind="X25519"):
        if kind == "X25519":
            self._private = x25519.X25519PrivateKey.generate()
            x = encode(self._private.public_key().public_bytes_raw())
            self.jwk = {"crv": "X25519", "kty": "OKP", "x": x}
        elif kind == "P-256":
            self._private = ec.generate_private_key(ec.SECP256R1())
            numbers = self._private.public_key().public_numbers()
            x, y = (encode(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
            self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        elif kind == "RSA":
            self._private = rsa.generate_private_key(65537, 3072)
            numbers = self._private.public_key().public_numbers()
            self.jwk = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
        else:
            raise ValueError(f"no recipient key is called {kind!r}")
        canonical = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        self.thumbprint = hashlib.sha256(canonical.encode()).digest()

    def unwrap(self, jwe):
        """Opens a compact JWE: the content and the authenticated header."""
        parts = jwe.split(".") if len(jwe) <= _LARGEST else []
        if len(parts) != 5:
            raise ProtocolError("the wrapped key is malformed")
        header = parse(decode(parts[0]))
        if not header.keys() <= _HEADER or member(header, "enc", str) != "A256GCM":
            raise ProtocolError("the wrapped key has a header that is not accepted")
        if member(header, "kid", str) != encode(self.thumbprint):
            raise ProtocolError("the wrapped key is for another recipient key")
        encrypted, nonce, content, tag = (decode(part) for part in parts[1:])
        if len(nonce) != 12 or len(tag) != 16:
            raise ProtocolError("the wrapped key is malformed")
        try:
            key = self._content_key(header, encrypted)
            opened = AESGCM(key).decrypt(nonce, content + tag, parts[0].encode("ascii"))
        except (InvalidTag, ValueError) as error:
            raise ProtocolError("the wrapped key does not open") from error
        return opened, header

    def _content_key(self, header, encrypted):
        algorithm = member(header, "alg", str)
        if isinstance(self._private, rsa.RSAPrivateKey):
            if algorithm != "RSA-OAEP-256" or "epk" in header:
                raise ProtocolError("the wrapped key uses another algorithm")
            oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
            return self._private.decrypt(encrypted, oaep)
        if algorithm != "ECDH-ES" or encrypted:
            raise ProtocolError("the wrapped key uses another algorithm")
        shared = self._agree(member(header, "epk", dict))
        info = b"".join(
            len(field).to_bytes(4, "big") + field
            for field in (b"A256GCM", decode(header.get("apu", "")), decode(header.get("apv", "")))
        )
        info += (256).to_bytes(4, "big")
        return ConcatKDFHash(SHA256(), 32, info).derive(shared)

    def _agree(self, epk):
        if {name: epk.get(name) for name in ("kty", "crv")} != {
            name: self.jwk[name] for name in ("kty", "crv")
        } or epk.keys() != self.jwk.keys():
            raise ProtocolError("the ephemeral key is of another kind")
        x = decode(member(epk, "x", str))
        if isinstance(self._private, x25519.X25519PrivateKey):
            # The library refuses a shared secret of zeros (RFC 7748, section 6.1).
            return self._private.exchange(x25519.X25519PublicKey.from_public_bytes(x))
        y = decode(member(epk, "y", str))
        if len(x) != 32 or len(y) != 32:
            raise ProtocolError("the ephemeral key is malformed")
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
        return self._private.exchange(ec.ECDH(), point)

"""Without a host: ``python -m unittest discover examples/python-client/tests``."""

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from claviger_client import Client, ClavigerError, ProtocolError, Refused, ReportData, Unavailable
from claviger_client.encoding import decode, encode, parse
from claviger_client.recipient import RecipientKey


def wrap(to, change=lambda header: None):
    """What a host does for an X25519 key."""
    ours = x25519.X25519PrivateKey.generate()
    theirs = x25519.X25519PublicKey.from_public_bytes(decode(to.jwk["x"]))
    kid = encode(to.thumbprint)
    fields = (b"A256GCM", b"Claviger", kid.encode())
    info = b"".join(len(f).to_bytes(4, "big") + f for f in fields) + (256).to_bytes(4, "big")
    key = ConcatKDFHash(SHA256(), 32, info).derive(ours.exchange(theirs))
    x = encode(ours.public_key().public_bytes_raw())
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": kid, "cty": "text/plain",
              "epk": {"kty": "OKP", "crv": "X25519", "x": x}, "apu": encode(b"Claviger"),
              "apv": encode(kid.encode()), "claviger": {"key": "disk"}}
    change(header)
    protected = encode(json.dumps(header).encode())
    sealed = AESGCM(key).encrypt(bytes(12), b"key material", protected.encode())
    return f"{protected}..{encode(bytes(12))}.{encode(sealed[:-16])}.{encode(sealed[-16:])}"


class Tests(unittest.TestCase):
    def test_the_published_report_data_hold(self):
        data = ReportData("claviger", "default", "attestation", b"\1" * 32, b"\2" * 32)
        self.assertTrue(data.sha512().hex().startswith("8c7d8e133c40f7452bed634cdb9c9f70"))

    def test_what_was_wrapped_opens(self):
        key = RecipientKey()
        secret, header = key.unwrap(wrap(key))
        self.assertEqual((secret, header["claviger"]["key"]), (b"key material", "disk"))

    def test_what_was_altered_or_is_for_another_does_not(self):
        key, other = RecipientKey(), RecipientKey()
        jwe = wrap(key)
        parts = jwe.split(".")
        header = parse(decode(parts[0]))
        header["claviger"]["key"] = "other"
        parts[0] = encode(json.dumps(header).encode())
        for altered in (".".join(parts), jwe + ".", jwe[:-1] + "*"):
            with self.assertRaises(ProtocolError):
                key.unwrap(altered)
        with self.assertRaises(ProtocolError):
            other.unwrap(jwe)
        for name, value in (("alg", "dir"), ("enc", "A128GCM"), ("zip", "DEF"), ("crit", [])):
            with self.assertRaises(ProtocolError):
                key.unwrap(wrap(key, lambda h: h.update({name: value})))
        zeros = {"kty": "OKP", "crv": "X25519", "x": encode(bytes(32))}
        with self.assertRaises(ProtocolError):
            key.unwrap(wrap(key, lambda h: h.update({"epk": zeros})))

    def test_one_spelling_and_members_once(self):
        for text in ("AA==", "A", "AB", "A+", " AA", "A\n"):
            with self.assertRaises(ProtocolError):
                decode(text)
        for text in ('{"a":1,"a":1}', "[]", "{", b"\xff"):
            with self.assertRaises(ProtocolError):
                parse(text)

    def test_a_busy_host_is_tried_again_and_a_refusal_is_not(self):
        client = Client("https://h.example", None, attempts=3)
        asked = []

        def attempt(error):
            asked.append(error)
            raise error

        with self.assertRaises(Unavailable):
            client._persist(lambda: attempt(Unavailable("busy")))
        self.assertEqual(len(asked), 3)
        with self.assertRaises(Unavailable):
            client._persist(lambda: attempt(Unavailable("busy", 3600)))
        self.assertEqual(len(asked), 4)
        with self.assertRaises(Refused):
            client._persist(lambda: attempt(Refused("key-disabled", "t", "r")))
        self.assertEqual(len(asked), 5)

    def test_names_and_addresses_are_looked_at(self):
        for url in ("http://h", "https://h/path", "h"):
            with self.assertRaises(ValueError):
                Client(url, None)
        for key in ("", "..", "a/b", "a%2f", "ä"):
            with self.assertRaises(ValueError):
                Client("https://h", None).fetch(key)
        self.assertTrue(issubclass(Refused, ClavigerError))


if __name__ == "__main__":
    unittest.main()

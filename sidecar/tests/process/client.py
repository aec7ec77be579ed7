"""The Python client of the examples before a development host: URL, authority, platform's command."""

import sys

from claviger_client import Client, Command, ProtocolError, Refused

url, ca, command = sys.argv[1:]


def client(**settings):
    return Client(url, Command(command.split()), **({"ca": ca, "simulated": True} | settings))


def fails(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was to be raised")


for recipient in ("X25519", "P-256", "RSA"):
    key = client(recipient=recipient).fetch("disk")
    assert key.secret == b"\xa5" * 32, recipient
    assert "\\xa5" not in repr(key)

assert client().fetch("secrets/password").secret == b"correct horse"
fails(ValueError, lambda: client().fetch("secrets/../keys/disk"))

attested = client().attest()
assert attested.status == "affirming", attested.status
fails(ProtocolError, client(issuer="https://another.example").attest)

assert fails(Refused, lambda: client().fetch("off")).code == "key-disabled"
assert fails(Refused, lambda: client().fetch("nobodys")).code == "key-not-found"
fails(ProtocolError, lambda: client(simulated=False).fetch("disk"))
fails(ProtocolError, lambda: client(host="another").fetch("disk"))
fails(ProtocolError, lambda: client(pins=[bytes(32)]).fetch("disk"))
fails(ProtocolError, lambda: client(ca=None).fetch("disk"))
print("done")

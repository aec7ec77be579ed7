"""The way to a key: challenge, evidence, release, unwrap; each attempt with a new challenge."""

import hashlib
import random
import re
import time
from dataclasses import dataclass, field

from . import token
from .encoding import decode, encode, member
from .errors import ProtocolError, Unavailable
from .recipient import RecipientKey
from .report_data import ReportData
from .transport import Transport

_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._~-]+")
_LONGEST = 30


@dataclass(frozen=True)
class ReleasedKey:
    """A key that was released to this workload."""

    secret: bytes = field(repr=False)
    media_type: str
    version: str
    audit_index: int


@dataclass(frozen=True)
class Attested:
    """An attestation result, checked; ``recipient`` opens what the token releases."""

    token: str
    claims: dict
    status: str
    recipient: RecipientKey


class Client:
    """A client of one host, for one workload."""

    def __init__(self, url, platform, *, ca=None, pins=(), tenant="default", host=None,
                 issuer=None, recipient="X25519", simulated=False, attempts=5):
        if not _NAME.fullmatch(tenant):
            raise ValueError("the tenant is no name")
        self._transport = Transport(url, ca, pins)
        self._platform = platform
        self._tenant = tenant
        self._prefix = "/v1" if tenant == "default" else f"/t/{tenant}/v1"
        self._host = host
        self._issuer = issuer
        self._recipient = recipient
        self._simulated = simulated
        self._attempts = attempts

    def fetch(self, key, version=None):
        """Fetches a key, the current version where none is named.

        A secret that has a release policy is `secrets/` and its name.
        """
        if not _NAME.fullmatch(key.removeprefix("secrets/")):
            raise ValueError(f"{key!r} is not a key's name")
        return self._persist(lambda: self._fetch_once(key, version))

    def attest(self):
        """Attests, and checks the result."""
        return self._persist(self._attest_once)

    def _persist(self, attempt):
        for failed in range(1, self._attempts + 1):
            try:
                return attempt()
            except Unavailable as error:
                told = error.retry_after or 0
                if failed == self._attempts or told > _LONGEST:
                    raise
                time.sleep(told + random.uniform(0, min(_LONGEST, 0.25 * 2 ** (failed - 1))))
        raise ValueError("no attempts are allowed")

    def _fetch_once(self, key, version):
        nonce, recipient, body = self._prepare(
            {"purpose": "release", "key": key}, f"release:{key}"
        )
        if version is not None:
            body["version"] = version
        path = key if key.startswith("secrets/") else f"keys/{key}"
        answer = self._transport.post(f"{self._prefix}/{path}/release", body)
        self._accept(answer)
        secret, header = recipient.unwrap(member(answer, "jwe", str))
        said = member(header, "claviger", dict)
        released = member(answer, "version", str)
        wanted = {"tenant": self._tenant, "key": key, "version": version or released,
                  "challenge": encode(hashlib.sha256(nonce).digest())}
        if released != said.get("version") or any(said.get(n) != v for n, v in wanted.items()):
            raise ProtocolError("the wrapped key is not what was asked for")
        index = member(answer, "audit_index", int)
        return ReleasedKey(secret, member(header, "cty", str), released, index)

    def _attest_once(self):
        nonce, recipient, body = self._prepare({"purpose": "attestation"}, "attestation")
        answer = self._transport.post(f"{self._prefix}/attestations", body)
        self._accept(answer)
        jwks = self._transport.get("/.well-known/jwks.json")
        text = member(answer, "token", str)
        claims = token.verify(text, jwks, tenant=self._tenant, nonce=nonce,
                              recipient=recipient.jwk, issuer=self._issuer)
        return Attested(text, claims, member(answer, "status", str), recipient)

    def _accept(self, answer):
        if answer.get("simulated") is not False and not self._simulated:
            raise ProtocolError("the result rests on simulated hardware")

    def _prepare(self, request, purpose):
        challenge = self._transport.post(f"{self._prefix}/challenges", request)
        nonce = decode(member(challenge, "nonce", str))
        host = member(challenge, "host", str)
        if len(nonce) != 32 or challenge.get("purpose") != purpose:
            raise ProtocolError("the challenge is for something else than was asked for")
        if self._host is not None and host != self._host:
            raise ProtocolError("the challenge is of another host")
        recipient = RecipientKey(self._recipient)
        data = ReportData(host, self._tenant, purpose, nonce, recipient.thumbprint)
        evidence = self._platform.evidence(data)
        body = {"challenge": member(challenge, "challenge", str),
                "evidence": evidence.to_json(), "recipient": recipient.jwk}
        return nonce, recipient, body

"""One HTTPS exchange, bounded in size and time; no redirections, no proxies."""

import hashlib
import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .encoding import parse
from .errors import ProtocolError, Refused, Unavailable

_LARGEST = 1 << 20
_TEMPORARY = {408, 429, 503, 504}


class Transport:
    """A host: where it is, and how it proves that it is the one."""

    def __init__(self, url, ca=None, pins=(), timeout=30):
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("wanted is https://host[:port]")
        self._address = (parts.hostname, parts.port or 443)
        self._tls = ssl.create_default_context(cafile=ca)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pins = {bytes(pin) for pin in pins}
        self._timeout = timeout

    def post(self, path, body):
        return self._exchange("POST", path, json.dumps(body).encode())

    def get(self, path):
        return self._exchange("GET", path, None)

    def _exchange(self, method, path, body):
        connection = http.client.HTTPSConnection(
            *self._address, timeout=self._timeout, context=self._tls
        )
        try:
            connection.connect()
            self._check_pin(connection.sock)
            headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read(_LARGEST + 1)
        except ssl.SSLCertVerificationError as error:
            raise ProtocolError(f"the host's certificate is not trusted: {error}") from error
        except (OSError, socket.timeout, http.client.HTTPException) as error:
            raise Unavailable(str(error)) from error
        finally:
            connection.close()
        if len(content) > _LARGEST:
            raise ProtocolError("the answer is too large")
        if response.status == 200:
            return parse(content)
        raise _refusal(response, content)

    def _check_pin(self, sock):
        if not self._pins:
            return
        certificate = x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if hashlib.sha256(key).digest() not in self._pins:
            raise ProtocolError("the host's key is not the one that was pinned")


def _refusal(response, content):
    try:
        problem = parse(content)
        words = [str(problem[name]) for name in ("code", "title", "request_id")]
    except (ProtocolError, KeyError):
        words = None
    if response.status in _TEMPORARY:
        after = response.headers.get("retry-after", "")
        reason = words[0] if words else f"status {response.status}"
        return Unavailable(reason, int(after) if after.isdecimal() else None)
    if words is None:
        return ProtocolError(f"the answer is not one of this API: status {response.status}")
    return Refused(*words)

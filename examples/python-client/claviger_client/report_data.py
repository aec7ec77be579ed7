"""The bytes that evidence must carry: a digest over everything that the evidence is made for.

``SHA-512(f("claviger report data 1") || f(host) || f(tenant) || f(purpose) || f(nonce) || f(recipient))``,
where ``f(x)`` is the length of ``x`` as an unsigned 32-bit big-endian number, then ``x``.
"""

import hashlib

_LABEL = b"claviger report data 1"


class ReportData:
    """What evidence is made for. A platform takes as many bytes as its format has room for."""

    def __init__(self, host, tenant, purpose, nonce, recipient):
        fields = [_LABEL, host.encode(), tenant.encode(), purpose.encode(), nonce, recipient]
        self._input = b"".join(len(field).to_bytes(4, "big") + field for field in fields)

    def sha512(self):
        """64 bytes: SNP, TDX, Nitro."""
        return hashlib.sha512(self._input).digest()

    def sha256(self):
        """32 bytes: TPMs."""
        return hashlib.sha256(self._input).digest()

"""The host's attestation result: an EAR as a JWT, checked with the host's own keys."""

import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from .encoding import decode, encode, member, parse
from .errors import ProtocolError

_CURVES = {"P-256": ("ES256", ec.SECP256R1(), hashes.SHA256(), 32)}
_CURVES["P-384"] = ("ES384", ec.SECP384R1(), hashes.SHA384(), 48)
_LARGEST = 96 << 10
_SKEW = 60


def verify(token, jwks, *, tenant, nonce, recipient, issuer=None):
    """Checks header, signature and claims, and gives the claims."""
    parts = token.split(".") if len(token) <= _LARGEST else []
    if len(parts) != 3:
        raise ProtocolError("the token is malformed")
    header = parse(decode(parts[0]))
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != "eat+jwt":
        raise ProtocolError("the token has a header that is not accepted")
    keys = [key for key in jwks.get("keys", []) if key.get("kid") == header["kid"]]
    if len(keys) != 1 or keys[0].get("kty") != "EC" or keys[0].get("crv") not in _CURVES:
        raise ProtocolError("the token names no key of this host")
    algorithm, curve, digest, length = _CURVES[keys[0]["crv"]]
    signature = decode(parts[2])
    if header["alg"] != algorithm or len(signature) != 2 * length:
        raise ProtocolError("the token's algorithm is not that of its key")
    point = b"\x04" + decode(keys[0]["x"]) + decode(keys[0]["y"])
    r, s = (int.from_bytes(part, "big") for part in (signature[:length], signature[length:]))
    signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("the token's signature does not hold") from error
    claims = parse(decode(parts[1]))
    said = member(claims, "iss", str)
    wanted = {"aud": f"{said}/t/{tenant}", "eat_nonce": encode(nonce), "cnf": {"jwk": recipient}}
    for name, value in wanted.items():
        if claims.get(name) != value:
            raise ProtocolError(f"the claim {name!r} is not the one expected")
    if issuer is not None and said != issuer:
        raise ProtocolError("the claim 'iss' is not the one expected")
    if member(claims, "exp", int) <= time.time() or member(claims, "iat", int) > time.time() + _SKEW:
        raise ProtocolError("the token has expired or is not valid yet")
    return claims

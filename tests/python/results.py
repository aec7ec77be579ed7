"""Reads attestation results with implementations that are not ours.

Standard input: JSON with `jwks`, `issuer`, `audience`, `now`, and `tokens`: `[name, form, token]`.
Standard output: JSON, for each name and each implementation whether it accepted the token, and the
status that it read.
"""

import json
import sys
from base64 import urlsafe_b64decode

import cwt
import jwt
from jwcrypto import jwk as jc_jwk
from jwcrypto import jwt as jc_jwt

ALGORITHMS = ["ES256", "ES384"]
given = json.load(sys.stdin)
keys = given["jwks"]["keys"]


def key_of(kid):
    return next(key for key in keys if key["kid"] == kid)


def status(submods):
    submod = submods["snp"]
    return submod.get("ear_status", submod.get(1000))


def pyjwt(token):
    key = jwt.PyJWK(key_of(jwt.get_unverified_header(token)["kid"]))
    claims = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        issuer=given["issuer"],
        audience=given["audience"],
        options={"require": ["exp", "iat", "iss", "aud", "jti"]},
    )
    return status(claims["submods"])


def jwcrypto(token):
    wanted = {"iss": given["issuer"], "aud": given["audience"], "exp": None}
    read = jc_jwt.JWT(
        jwt=token,
        key=jc_jwk.JWKSet.from_json(json.dumps(given["jwks"])),
        algs=ALGORITHMS,
        check_claims=wanted,
        expected_type="JWS",
    )
    return status(json.loads(read.claims)["submods"])


def python_cwt(token):
    octets = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    known = [cwt.COSEKey.from_jwk(key) for key in keys]
    claims = cwt.decode(octets, known)
    if claims[1] != given["issuer"] or claims[3] != given["audience"]:
        raise ValueError("issuer or audience")
    return status(claims[266])


READERS = {"jwt": [pyjwt, jwcrypto], "cwt": [python_cwt]}
answers = []
for name, form, token in given["tokens"]:
    for reader in READERS[form]:
        try:
            answers.append([name, reader.__name__, True, reader(token)])
        except Exception as error:
            answers.append([name, reader.__name__, False, f"{type(error).__name__}: {error}"])
json.dump(answers, sys.stdout)

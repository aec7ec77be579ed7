"""Drives the face of Azure Attestation by Microsoft's own client. Told by standard input where it is, and
with what; answers with one line of JSON: each step, and `ok` or what went wrong."""

import base64
import json
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.security.attestation import (
    AttestationAdministrationClient,
    AttestationClient,
    AttestationType,
    CertificateModification,
    PolicyModification,
)

told = json.load(sys.stdin)
quote, report, runtime = (base64.b64decode(told[name]) for name in ("quote", "report", "runtime"))


class Credential:
    """What azure-identity would get of an identity service."""

    def get_token(self, *scopes, **kwargs):
        return AccessToken(told["token"], int(time.time()) + 3600)


options = {"connection_verify": told["ca"], "retry_total": 0}
client = AttestationClient(
    told["url"], Credential(), validate_issuer=True, issuer=told["url"], **options
)
administration = AttestationAdministrationClient(told["url"], Credential(), **options)
said = {}


def step(name):
    def run(function):
        try:
            function()
            said[name] = "ok"
        except Exception as error:  # noqa: BLE001
            said[name] = repr(error)[:2000]

    return run


@step("sgx")
def _():
    result, token = client.attest_sgx_enclave(quote, runtime_json=runtime)
    assert token.algorithm == "RS256", token.algorithm
    assert result.runtime_claims == json.loads(runtime), result.runtime_claims
    assert result.is_debuggable is False and result.mr_enclave
    assert result.policy_hash and result.verifier_type == "sgx"


@step("open-enclave")
def _():
    result, _token = client.attest_open_enclave(report, runtime_json=runtime)
    assert result.runtime_claims == json.loads(runtime)


@step("binary")
def _():
    result, _token = client.attest_sgx_enclave(quote, runtime_data=runtime)
    assert result.enclave_held_data == runtime, result.enclave_held_data


@step("other-runtime")
def _():
    try:
        client.attest_sgx_enclave(quote, runtime_data=b"another")
    except HttpResponseError as error:
        assert error.status_code == 400 and error.error.code == "InvalidParameter", error
    else:
        raise AssertionError("accepted")


PERMITS = "version=1.0; authorizationrules { => permit(); }; issuancerules { => issue(type=\"a\", value=7); };"
DENIES = "version=1.0; authorizationrules { }; issuancerules { };"


@step("draft")
def _():
    result, token = client.attest_sgx_enclave(quote, runtime_json=runtime, draft_policy=PERMITS)
    assert token.algorithm == "none" and result.policy_claims == {"a": 7}, result.policy_claims


@step("default-policy")
def _():
    policy, _token = administration.get_policy(AttestationType.SGX_ENCLAVE)
    assert policy.startswith("version= 1.1;"), policy


@step("set")
def _():
    result, _token = administration.set_policy(AttestationType.SGX_ENCLAVE, DENIES)
    assert result.policy_resolution == PolicyModification.UPDATED, result.policy_resolution


@step("get")
def _():
    policy, _token = administration.get_policy(AttestationType.SGX_ENCLAVE)
    assert policy == DENIES, policy


@step("denied")
def _():
    try:
        client.attest_sgx_enclave(quote, runtime_json=runtime)
    except HttpResponseError as error:
        assert error.error.code == "PolicyEvaluationError", error
    else:
        raise AssertionError("accepted")


@step("reset")
def _():
    result, _token = administration.reset_policy(AttestationType.SGX_ENCLAVE)
    assert result.policy_resolution == PolicyModification.REMOVED, result.policy_resolution
    client.attest_sgx_enclave(quote, runtime_json=runtime)


signer = {"signing_key": told["signer"]["key"], "signing_certificate": told["signer"]["certificate"]}


@step("signed")
def _():
    result, _token = administration.set_policy(AttestationType.OPEN_ENCLAVE, PERMITS, **signer)
    assert result.policy_resolution == PolicyModification.UPDATED
    attested, _token = client.attest_open_enclave(report, runtime_json=runtime)
    assert attested.policy_claims == {"a": 7}
    # Its property `policy_signer` converts twice and fails whatever is there.
    assert attested._policy_signer is not None


@step("certificates")
def _():
    listed, _token = administration.get_policy_management_certificates()
    assert len(listed) == 1, listed
    result, _token = administration.add_policy_management_certificate(told["added"], **signer)
    assert result.certificate_resolution == CertificateModification.IS_PRESENT
    listed, _token = administration.get_policy_management_certificates()
    assert len(listed) == 2, listed
    result, _token = administration.remove_policy_management_certificate(told["added"], **signer)
    assert result.certificate_resolution == CertificateModification.IS_ABSENT


print(json.dumps(said))

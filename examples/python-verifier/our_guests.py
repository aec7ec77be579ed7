"""The verifier of `../custom-verifier` in Python: SEV-SNP guests whose launch an author key of our own
certified. Signatures and chain are checked by the host; all that is left to a verifier is to say no."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import verifier
from wit_world.imports import quotes, settings
from wit_world.imports.custody import Digest
from wit_world.imports.types import Span

REPORT = "application/vnd.amd.sev-snp-report"
# REPORT_DATA, where a guest puts what its evidence is made for, and AUTHOR_KEY_DIGEST (AMD 56860, table 23).
REPORT_DATA = Span(0x50, 64)
AUTHOR_KEY_DIGEST = Span(0x110, 48)
# AR4SI's value for what is as it should be.
AFFIRMING = 2


class Verifier(exports.Verifier):
    def describe(self):
        return verifier.Description("snp", [REPORT])

    def verify(self, request):
        try:
            report = quotes.snp(request.evidence, request.attachments)
            digest = report.statement.read(AUTHOR_KEY_DIGEST)
        except Err as finding:
            raise Err(rejection(finding.value))
        listed = (settings.get("author-key-digests") or "").split(",")
        # A guest without an author key has zeros there, and zeros are nobody's key.
        if not any(digest) or digest.hex() not in (one.strip() for one in listed):
            reason = "the guest's launch was not certified by a listed author key"
            raise Err(verifier.Rejection_Untrusted(reason))
        return verifier.Verdict(
            [report.statement],
            [verifier.Binding(0, REPORT_DATA, verifier.Carries_ChallengeDigest(Digest.SHA512))],
            # What stands in the report the host reads itself.
            [],
            # At most this: the operator's appraisal policy lowers it where it must.
            verifier.Trustworthiness(
                instance_identity=AFFIRMING,
                configuration=AFFIRMING,
                executables=None,
                file_system=None,
                hardware=AFFIRMING,
                runtime_opaque=AFFIRMING,
                storage_opaque=None,
                sourced_data=None,
            ),
        )


def rejection(fault):
    """A rejection that says the same as the host's own finding."""
    case = type(fault).__name__.removeprefix("Fault_")
    words = getattr(fault, "value", "a signature does not verify")
    return getattr(verifier, f"Rejection_{case}")(words)

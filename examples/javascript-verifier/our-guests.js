// The verifier of `../custom-verifier` in JavaScript: SEV-SNP guests whose launch an author key of our own
// certified. Signatures and chain are checked by the host; all that is left to a verifier is to say no.

import { snp } from 'claviger:plugin/quotes@0.1.0';
import { get } from 'claviger:plugin/settings@0.1.0';

// REPORT_DATA, where a guest puts what its evidence is made for, and AUTHOR_KEY_DIGEST (AMD 56860, table 23).
const REPORT_DATA = { start: 0x50, length: 64 };
const AUTHOR_KEY_DIGEST = { start: 0x110, length: 48 };
// AR4SI's value for what is as it should be.
const AFFIRMING = 2;

export const verifier = {
  describe() {
    return { tee: 'snp', evidenceTypes: ['application/vnd.amd.sev-snp-report'] };
  },

  verify(request) {
    const { report, digest } = checked(request);
    const listed = (get('author-key-digests') ?? '').split(',').map((one) => one.trim());
    const hex = digest.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    // A guest without an author key has zeros there, and zeros are nobody's key.
    if (!digest.some((byte) => byte !== 0) || !listed.includes(hex)) {
      reject('untrusted', "the guest's launch was not certified by a listed author key");
    }
    return {
      statements: [report.statement],
      bindings: [
        { statement: 0, at: REPORT_DATA, carries: { tag: 'challenge-digest', val: 'sha512' } },
      ],
      // What stands in the report the host reads itself.
      claims: [],
      // At most this: the operator's appraisal policy lowers it where it must.
      trustworthiness: {
        instanceIdentity: AFFIRMING,
        configuration: AFFIRMING,
        hardware: AFFIRMING,
        runtimeOpaque: AFFIRMING,
      },
    };
  },
};

// The report and its author key's digest, or a rejection that says the same as the host's own finding.
function checked(request) {
  try {
    const report = snp(request.evidence, request.attachments);
    return { report, digest: Array.from(report.statement.read(AUTHOR_KEY_DIGEST)) };
  } catch (finding) {
    const fault = finding.payload ?? finding;
    reject(fault.tag, fault.val ?? 'a signature does not verify');
  }
}

// What is thrown is the error of the WIT result.
function reject(tag, val) {
  throw { tag, val };
}

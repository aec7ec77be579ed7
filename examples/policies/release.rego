# When a key may leave: the guest is affirmed, runs one of these images, and none that is too old.
# `input` is the attestation result, as its token states it.
package claviger.release

images := {"5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f98189887920ab2fa0096903a0c23fca1"}

claims := input.submods.snp.ear_attester_claims

default allow := false

allow if {
	input.submods.snp.ear_status == "affirming"
	count(reasons) == 0
}

# What stands in the audit record of a refusal. A claim that is missing is a reason too.
reasons contains "not one of our images" if not claims["snp.measurement"] in images

reasons contains "an image older than 3" if not claims["snp.guest_svn"] >= 3

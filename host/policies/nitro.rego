# What an AWS Nitro Enclave's attestation document must be to be affirmed: the default policy.
#
# Signature and certificates were checked before this policy is asked. Every rule is listed once, in
# `rules`, and holds only where a `holds` of its name proves it: a claim that is missing proves nothing,
# so what is not known does not hold. A rule that does not hold lowers one claim of the trustworthiness
# vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"nitro": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# The verifier reads the document; the host checked who signed its bytes.
default claims := {}

claims := input.submods.nitro.plugin_claims

# The operator's choices: `appraisal.nitro.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# A debug enclave shows zeros in place of what it runs, and its console to the parent.
rules contains {
	"rule": "nitro-no-debug", "claim": "nitro.debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "nitro-no-debug" if settings.allow_debug == true

holds contains "nitro-no-debug" if claims["nitro.debug"] == false

# Only these enclaves, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "nitro-module", "claim": "nitro.module_id", "wanted": "one of the listed modules",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "nitro-module" if settings.module_ids == null

holds contains "nitro-module" if claims["nitro.module_id"] in settings.module_ids

# Only images signed with these certificates (PCR8), where the operator lists any.
rules contains {
	"rule": "nitro-signer", "claim": "nitro.pcr8", "wanted": "one of the listed signers",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "nitro-signer" if settings.modules_signed_by == null

holds contains "nitro-signer" if claims["nitro.pcr8"] in settings.modules_signed_by

# The image is one that somebody approved, and so are its kernel and its application where they have
# reference values of their own. `data.known` has those as an index: kind, claim, value.
rules contains {
	"rule": "nitro-image", "claim": "nitro.pcr0", "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "nitro-image" if data.known.nitro.pcr0[claims["nitro.pcr0"]]

# An EC2 instance's document has the registers of its TPM: the boot loader or unified kernel image is in 4.
holds contains "nitro-image" if data.known.nitro.nitrotpm_pcr4[claims["nitro.nitrotpm_pcr4"]]

findings contains {
	"rule": "nitro-other-pcr", "claim": concat("", ["nitro.", pcr]), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some pcr, values in data.known.nitro
	not pcr in {"pcr0", "nitrotpm_pcr4"}
	startswith(pcr, "nitrotpm_") == of_instance
	not known(pcr, values)
}

# Reference values for one kind of document say nothing of the other.
default of_instance := false

of_instance if claims["nitro.nitrotpm_pcr4"]

known(pcr, values) if values[claims[concat("", ["nitro.", pcr])]]

default vector := {}

vector := {"executables": approved_boot} if "nitro-image" in holds

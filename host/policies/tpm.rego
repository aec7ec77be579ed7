# What a TPM's quote must be to be affirmed: the default policy.
#
# The attestation key, the quote and what an event log says were checked before this policy is asked. What is
# left to judge is what they say.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim that
# is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers one claim of
# the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"tpm": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# The verifier reads quote and log; the host checked who signed the quote.
default claims := {}

claims := input.submods["tpm"].plugin_claims

# The operator's choices: `appraisal.tpm.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# A certificate says that a TPM holds the key; of an enrolled one the operator says so.
rules contains {
	"rule": "tpm-key", "claim": "tpm.ak", "wanted": "certified",
	"lowers": "hardware", "value": unsafe,
}

holds contains "tpm-key" if claims["tpm.ak"] == "certified"

holds contains "tpm-key" if {
	claims["tpm.ak"] == "enrolled"
	settings.allow_enrolled == true
}

# Only these machines, where the operator lists any: whoever made a TPM, or runs a cloud, certifies the keys of
# many.
rules contains {
	"rule": "tpm-machine", "claim": "tpm.ak_fingerprint", "wanted": "one of the listed keys",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "tpm-machine" if settings.ak_fingerprints == null

holds contains "tpm-machine" if claims["tpm.ak_fingerprint"] in settings.ak_fingerprints

# The firmware, as the event log proves it, starts only what is signed by a key that it knows.
rules contains {
	"rule": "tpm-secure-boot", "claim": "tpm.secure_boot", "wanted": true,
	"lowers": "configuration", "value": unsafe,
}

holds contains "tpm-secure-boot" if settings.require_secure_boot == false

holds contains "tpm-secure-boot" if claims["tpm.secure_boot"] == true

# What the machine runs is what somebody approved: every listed PCR is a reference value. By default these are
# 0 and 2 (firmware and option ROMs), 4 (what the firmware started: boot loaders, or a unified kernel), 7 (Secure Boot: whose signatures are
# enough), 8 and 9 (the boot loader's commands; the kernel, its command line and the initial file
# system), 11 to 13 (a unified kernel's parts, what overrides its command line, its extensions): without any
# of them somebody may choose what runs. One that a system does not use is all zeros, and listed so.
findings contains {
	"rule": "tpm-pcr", "claim": register(index), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some index in settings.required_pcrs
	not known(index)
}

register(index) := sprintf("tpm.pcr%d", [index])

known(index) if data.known["tpm"][sprintf("pcr%d", [index])][claims[register(index)]]

default vector := {}

vector := {"executables": approved_boot} if {
	count(settings.required_pcrs) > 0
	every index in settings.required_pcrs {
		known(index)
	}
}

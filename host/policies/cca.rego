# What an Arm CCA token must be to be affirmed: the default policy.
#
# Both signatures, and that the platform vouches for the realm's key, were checked before this policy is
# asked. Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a
# claim that is missing proves nothing, so what is not known does not hold. A rule that does not hold
# lowers one claim of the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"cca": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# The verifier reads the token; the host checked who signed its bytes.
default claims := {}

claims := input.submods.cca.plugin_claims

# The operator's choices: `appraisal.cca.settings`.
default settings := {}

settings := data.settings

default known := {}

known := data.known.cca

# Values of AR4SI.
approved_boot := 3

unrecognized_executables := 33

contraindicated := 96

unrecognized_hardware := 97

# The platform's firmware cannot be debugged, and the platform is neither before nor behind its life.
rules contains {
	"rule": "cca-secured", "claim": "cca.lifecycle_state", "wanted": "secured",
	"lowers": "configuration", "value": contraindicated,
}

holds contains "cca-secured" if {
	claims["cca.lifecycle_state"] == "secured"
	claims["cca.debug"] == false
}

holds contains "cca-secured" if {
	settings.allow_debug == true
	claims["cca.debug"] == true
}

# Only these kinds of platform, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "cca-implementation", "claim": "cca.implementation_id", "wanted": "one of the listed implementations",
	"lowers": "hardware", "value": unrecognized_hardware,
}

holds contains "cca-implementation" if settings.implementation_ids == null

holds contains "cca-implementation" if claims["cca.implementation_id"] in settings.implementation_ids

# The realm is one that somebody approved, as it started.
rules contains {
	"rule": "cca-realm", "claim": "cca.rim", "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "cca-realm" if known.rim[claims["cca.rim"]]

# What else of realm and platform has reference values is one of them.
findings contains {
	"rule": "cca-other", "claim": concat("", ["cca.", claim]), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some claim, values in known
	not claim in {"firmware", "rim"}
	not is_known(claim, values)
}

is_known(claim, values) if values[claims[concat("", ["cca.", claim])]]

# Every piece of the platform's firmware is one that somebody approved: below the realm nothing else keeps
# its secrets. One `firmware` has the reference values of all of them.
rules contains {
	"rule": "cca-firmware", "claim": "cca.sw_components", "wanted": "components that are all reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "cca-firmware" if settings.allow_unknown_firmware == true

holds contains "cca-firmware" if {
	claims["cca.sw_components"] > 0
	count(measurements) == claims["cca.sw_components"]
	not some_unknown
}

measurements[name] := value if {
	some name, value in claims
	startswith(name, "cca.sw_component_")
	endswith(name, "_measurement")
}

some_unknown if {
	some value in measurements
	not known.firmware[value]
}

# All of it signed by these, where the operator lists any.
rules contains {
	"rule": "cca-signer", "claim": "cca.sw_component_0_signer_id", "wanted": "one of the listed signers",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "cca-signer" if settings.firmware_signers == null

holds contains "cca-signer" if {
	claims["cca.sw_components"] > 0
	count(signers) == claims["cca.sw_components"]
	not some_other_signer
}

signers[name] := value if {
	some name, value in claims
	startswith(name, "cca.sw_component_")
	endswith(name, "_signer_id")
}

some_other_signer if {
	some value in signers
	not value in settings.firmware_signers
}

default vector := {}

vector := {"executables": approved_boot} if {
	"cca-realm" in holds
	"cca-firmware" in holds
}

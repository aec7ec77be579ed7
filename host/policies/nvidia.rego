# What an NVIDIA GPU's attestation report must be to be affirmed: the default policy.
#
# Signature and certificates were checked before this policy is asked. Every rule is listed once, in
# `rules`, and holds only where a `holds` of its name proves it: a claim that is missing proves nothing,
# so what is not known does not hold. A rule that does not hold lowers one claim of the trustworthiness
# vector (AR4SI) to a value.
#
# Reference values are for one kind of device: where a measurement has any, every device's must be one of
# them. NVIDIA counts its reference values from 0, and measurements are counted from 1.
#
package claviger.appraisal

result := {"submods": {"nvidia": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# The verifier reads the report; the host checked who signed its bytes.
default claims := {}

claims := input.submods.nvidia.plugin_claims

# The operator's choices: `appraisal.nvidia.settings`.
default settings := {}

settings := data.settings

default known := {}

known := data.known.nvidia

# Values of AR4SI.
approved_boot := 3

unsafe_config := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# A switch computes nothing: it has no secrets to be given.
rules contains {
	"rule": "nvidia-gpu", "claim": "nvidia.kind", "wanted": "gpu",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "nvidia-gpu" if claims["nvidia.kind"] == "gpu"

holds contains "nvidia-gpu" if {
	settings.allow_switches == true
	claims["nvidia.kind"] == "switch"
}

# Only the architectures that the operator has in mind, for each has measurements of its own.
rules contains {
	"rule": "nvidia-architecture", "claim": "nvidia.arch", "wanted": "one of the listed architectures",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "nvidia-architecture" if claims["nvidia.arch"] in settings.architectures

holds contains "nvidia-architecture" if claims["nvidia.kind"] == "switch"

# Only these devices, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "nvidia-serial", "claim": "nvidia.serial", "wanted": "one of the listed devices",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "nvidia-serial" if settings.serials == null

holds contains "nvidia-serial" if claims["nvidia.serial"] in settings.serials

# Firmware that may be debugged. Certificates of Hopper do not say it; there the measurements do.
rules contains {
	"rule": "nvidia-no-debug", "claim": "nvidia.debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "nvidia-no-debug" if settings.allow_debug == true

holds contains "nvidia-no-debug" if claims["nvidia.debug"] == false

holds contains "nvidia-no-debug" if {
	claims["nvidia.arch"] in {"HOPPER", "LS10"}
	not claims["nvidia.debug"]
}

# Only these drivers and VBIOS versions, where the operator lists any.
rules contains {
	"rule": "nvidia-driver", "claim": "nvidia.driver_version", "wanted": "one of the listed versions",
	"lowers": "configuration", "value": unsafe_config,
}

holds contains "nvidia-driver" if settings.driver_versions == null

holds contains "nvidia-driver" if claims["nvidia.driver_version"] in settings.driver_versions

rules contains {
	"rule": "nvidia-vbios", "claim": "nvidia.vbios_version", "wanted": "one of the listed versions",
	"lowers": "configuration", "value": unsafe_config,
}

holds contains "nvidia-vbios" if settings.vbios_versions == null

holds contains "nvidia-vbios" if claims["nvidia.vbios_version"] in settings.vbios_versions

# Something of what runs is one that somebody approved.
rules contains {
	"rule": "nvidia-firmware", "claim": "nvidia.measurement_1", "wanted": "measurements with reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "nvidia-firmware" if {
	some measurement, _ in known
	is_known(measurement)
}

# And nothing of it is other than approved: every measurement that has reference values is there and is one
# of them.
findings contains {
	"rule": "nvidia-measurement", "claim": concat("", ["nvidia.", measurement]),
	"wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some measurement, _ in known
	not is_known(measurement)
	not is_unused(measurement)
}

# The operator's list of measurements (`measurement_9`) that must have reference values.
findings contains {
	"rule": "nvidia-required", "claim": concat("", ["nvidia.", measurement]),
	"wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some measurement in settings.required_measurements
	not is_known(measurement)
}

is_known(measurement) if known[measurement][claims[concat("", ["nvidia.", measurement])]]

# The video decoder's, where that is switched off (NVIDIA attestation SDK: reference value 35).
is_unused(measurement) if {
	measurement == "measurement_36"
	claims["nvidia.nvdec0_enabled"] == false
}

default vector := {}

vector := {"executables": approved_boot} if "nvidia-firmware" in holds

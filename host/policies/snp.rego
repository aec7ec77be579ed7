# What SEV-SNP evidence must be to be affirmed: the default policy.
#
# Whoever checked the evidence, signatures and certificates included, checked it before this policy
# is asked. What is left to judge is what genuine evidence says.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim
# that is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers
# one claim of the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"snp": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# What is not given proves nothing, and undefines nothing.
default claims := {}

claims := input.submods.snp.claims

# The operator's choices: the section `appraisal.snp` of the configuration.
default settings := {}

settings := data.settings

default floors := {}

floors := data.settings.minimum_tcb

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# The hypervisor may not read and write the guest's memory as a debugger does.
rules contains {
	"rule": "snp-no-debug", "claim": "snp.policy_debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "snp-no-debug" if settings.allow_debug == true

holds contains "snp-no-debug" if claims["snp.policy_debug"] == false

# No other guest holds this one's keys to move it.
rules contains {
	"rule": "snp-no-migration-agent", "claim": "snp.policy_migration_agent", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "snp-no-migration-agent" if settings.allow_migration_agent == true

holds contains "snp-no-migration-agent" if claims["snp.policy_migration_agent"] == false

# Sibling threads share caches.
rules contains {
	"rule": "snp-no-smt", "claim": "snp.policy_smt_allowed", "wanted": false,
	"lowers": "configuration", "value": unsafe,
}

holds contains "snp-no-smt" if settings.allow_smt == true

holds contains "snp-no-smt" if claims["snp.policy_smt_allowed"] == false

# Devices may not be attached to the guest's memory over CXL.
rules contains {
	"rule": "snp-no-cxl", "claim": "snp.policy_cxl_allowed", "wanted": false,
	"lowers": "configuration", "value": unsafe,
}

holds contains "snp-no-cxl" if settings.allow_cxl == true

holds contains "snp-no-cxl" if claims["snp.policy_cxl_allowed"] == false

# The report was asked for by the most privileged layer of the guest, or the one that is expected.
rules contains {
	"rule": "snp-vmpl", "claim": "snp.vmpl",
	"wanted": {"one of": object.get(settings, "vmpl", [])},
	"lowers": "configuration", "value": contraindicated,
}

holds contains "snp-vmpl" if claims["snp.vmpl"] in settings.vmpl

# The firmware looked for memory modules that lie about their size (BadRAM).
rules contains {
	"rule": "snp-alias-check", "claim": "snp.platform_alias_check", "wanted": true,
	"lowers": "hardware", "value": unsafe,
}

holds contains "snp-alias-check" if settings.require_alias_check == false

holds contains "snp-alias-check" if claims["snp.platform_alias_check"] == true

# The host cannot read the ciphertext of the guest's memory.
rules contains {
	"rule": "snp-ciphertext-hiding", "claim": "snp.platform_ciphertext_hiding", "wanted": true,
	"lowers": "hardware", "value": unsafe,
}

holds contains "snp-ciphertext-hiding" if settings.require_ciphertext_hiding == false

holds contains "snp-ciphertext-hiding" if claims["snp.platform_ciphertext_hiding"] == true

# Milan's attestation keys can be extracted (arXiv 2605.12990).
rules contains {
	"rule": "snp-generation", "claim": "snp.product", "wanted": "Genoa or Turin",
	"lowers": "hardware", "value": milan,
}

default milan := 96

milan := unsafe if settings.milan == "warn"

holds contains "snp-generation" if claims["snp.product"] in {"Genoa", "Turin"}

holds contains "snp-generation" if {
	claims["snp.product"] == "Milan"
	settings.milan == "allow"
}

# Every part of the firmware is as new as the operator wants for this product.
findings contains {
	"rule": "snp-minimum-tcb", "claim": concat("", ["snp.", tcb, "_tcb"]),
	"wanted": {"at least": object.get(floors, product, "a product that is known")},
	"lowers": "hardware", "value": contraindicated,
} if {
	some tcb in {"reported", "committed", "launch"}
	not new_enough(tcb)
}

product := object.get(claims, "snp.product", "unknown")

new_enough(tcb) if {
	every part, least in floors[product] {
		is_number(claims[concat("", ["snp.", tcb, "_tcb_", part])])
		claims[concat("", ["snp.", tcb, "_tcb_", part])] >= least
	}
}

# A provider's key (VLEK) names no chip.
rules contains {
	"rule": "snp-endorsement-key", "claim": "snp.endorsement_key", "wanted": "vcek",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "snp-endorsement-key" if claims["snp.endorsement_key"] == "vcek"

holds contains "snp-endorsement-key" if settings.allow_vlek == true

# Only these chips, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "snp-pinned-chip", "claim": "snp.chip_id", "wanted": "one of the pinned chips",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "snp-pinned-chip" if settings.chip_ids == null

holds contains "snp-pinned-chip" if claims["snp.chip_id"] in settings.chip_ids

# What was launched is what somebody approved. `data.known` has the reference values as an index:
# kind of evidence, claim, value.
rules contains {
	"rule": "snp-measurement", "claim": "snp.measurement", "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "snp-measurement" if data.known.snp.measurement[claims["snp.measurement"]]

default vector := {}

vector := {"executables": approved_boot} if "snp-measurement" in holds

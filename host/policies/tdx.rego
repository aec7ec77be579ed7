# What an Intel TDX quote must say to be affirmed: the default policy.
#
# Whoever checked the quote, signatures, certificates and Intel's collateral included, checked it before
# this policy is asked. What is left to judge is what genuine evidence says.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim
# that is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers
# one claim of the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"tdx": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# What is not given proves nothing, and undefines nothing.
default claims := {}

claims := input.submods.tdx.claims

# The operator's choices: `appraisal.tdx.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# The host may not read the domain's memory as a debugger does.
rules contains {
	"rule": "tdx-no-debug", "claim": "tdx.td_attributes_debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "tdx-no-debug" if settings.allow_debug == true

holds contains "tdx-no-debug" if claims["tdx.td_attributes_debug"] == false

# A page that the host takes away raises no exception that the guest could be steered with.
rules contains {
	"rule": "tdx-sept-ve-disable", "claim": "tdx.td_attributes_sept_ve_disable", "wanted": true,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "tdx-sept-ve-disable" if settings.require_sept_ve_disable == false

holds contains "tdx-sept-ve-disable" if claims["tdx.td_attributes_sept_ve_disable"] == true

# No migration service holds this domain's keys to move it.
rules contains {
	"rule": "tdx-no-migration", "claim": "tdx.td_attributes_migratable", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "tdx-no-migration" if settings.allow_migration == true

holds contains "tdx-no-migration" if claims["tdx.td_attributes_migratable"] == false

# No service domain is bound to this one. Reports of version 1.0 know none.
rules contains {
	"rule": "tdx-no-service-td", "claim": "tdx.mr_servicetd", "wanted": "zeros",
	"lowers": "configuration", "value": contraindicated,
}

holds contains "tdx-no-service-td" if settings.allow_service_td == true

holds contains "tdx-no-service-td" if {
	claims["tdx.mrtd"]
	object.get(claims, "tdx.mr_servicetd", zeros) == zeros
}

zeros := "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

# Performance counters tell a host what the guest does.
rules contains {
	"rule": "tdx-no-perfmon", "claim": "tdx.td_attributes_perfmon", "wanted": false,
	"lowers": "configuration", "value": unsafe,
}

holds contains "tdx-no-perfmon" if settings.allow_perfmon == true

holds contains "tdx-no-perfmon" if claims["tdx.td_attributes_perfmon"] == false

# Intel's production module: of a debug module every attribute would be set here.
rules contains {
	"rule": "tdx-production-module", "claim": "tdx.seam_attributes", "wanted": "0000000000000000",
	"lowers": "hardware", "value": contraindicated,
}

holds contains "tdx-production-module" if claims["tdx.seam_attributes"] == "0000000000000000"

# Processor, quoting enclave and TDX module are as Intel says that they should be.
rules contains {
	"rule": "tdx-tcb-status", "claim": "tdx.tcb_status",
	"wanted": {"one of": object.get(settings, "tcb_status", [])},
	"lowers": "hardware", "value": contraindicated,
}

holds contains "tdx-tcb-status" if claims["tdx.tcb_status"] in settings.tcb_status

# What Intel warns of is what the operator knows of.
rules contains {
	"rule": "tdx-advisories", "claim": "tdx.advisory_ids",
	"wanted": {"none but": object.get(settings, "allowed_advisories", [])},
	"lowers": "hardware", "value": unsafe,
}

holds contains "tdx-advisories" if {
	is_array(claims["tdx.advisory_ids"])
	every advisory in claims["tdx.advisory_ids"] {
		advisory in settings.allowed_advisories
	}
}

# Judged by collateral that knows what Intel knew then, or later.
rules contains {
	"rule": "tdx-tcb-evaluation", "claim": "tdx.tcb_evaluation_data_number",
	"wanted": {"at least": object.get(settings, "minimum_tcb_evaluation_data_number", "a number")},
	"lowers": "hardware", "value": unsafe,
}

holds contains "tdx-tcb-evaluation" if {
	is_number(claims["tdx.tcb_evaluation_data_number"])
	claims["tdx.tcb_evaluation_data_number"] >= settings.minimum_tcb_evaluation_data_number
}

# Only these machines, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "tdx-platform", "claim": "tdx.platform_instance_id", "wanted": "one of the listed platforms",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "tdx-platform" if settings.platform_instance_ids == null

holds contains "tdx-platform" if claims["tdx.platform_instance_id"] in settings.platform_instance_ids

# What was launched is what somebody approved. `data.known` has the reference values as an index:
# kind of evidence, claim, value.
rules contains {
	"rule": "tdx-mrtd", "claim": "tdx.mrtd", "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "tdx-mrtd" if data.known.tdx.mrtd[claims["tdx.mrtd"]]

# And so is whatever else has reference values: the registers (firmware's configuration, kernel, command
# line), configuration and owner.
findings contains {
	"rule": "tdx-reference", "claim": concat("", ["tdx.", claim]), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some claim, values in data.known.tdx
	claim != "mrtd"
	not known(claim, values)
}

known(claim, values) if values[claims[concat("", ["tdx.", claim])]]

default vector := {}

vector := {"executables": approved_boot} if "tdx-mrtd" in holds

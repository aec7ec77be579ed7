# What an Intel SGX quote must say to be affirmed: the default policy.
#
# Whoever checked the quote, signatures, certificates and Intel's collateral included, checked it before
# this policy is asked. What is left to judge is what genuine evidence says.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim
# that is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers
# one claim of the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"sgx": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# What is not given proves nothing, and undefines nothing.
default claims := {}

claims := input.submods.sgx.claims

# The operator's choices: `appraisal.sgx.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

# Nobody may read the enclave's memory as a debugger does.
rules contains {
	"rule": "sgx-no-debug", "claim": "sgx.attributes_debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "sgx-no-debug" if settings.allow_debug == true

holds contains "sgx-no-debug" if claims["sgx.attributes_debug"] == false

# The key that names the machine for good is for provisioning enclaves.
rules contains {
	"rule": "sgx-no-provision-key", "claim": "sgx.attributes_provision_key", "wanted": false,
	"lowers": "configuration", "value": unsafe,
}

holds contains "sgx-no-provision-key" if settings.allow_provision_key == true

holds contains "sgx-no-provision-key" if claims["sgx.attributes_provision_key"] == false

# Processor and quoting enclave are as Intel says that they should be.
rules contains {
	"rule": "sgx-tcb-status", "claim": "sgx.tcb_status",
	"wanted": {"one of": object.get(settings, "tcb_status", [])},
	"lowers": "hardware", "value": contraindicated,
}

holds contains "sgx-tcb-status" if claims["sgx.tcb_status"] in settings.tcb_status

# What Intel warns of is what the operator knows of.
rules contains {
	"rule": "sgx-advisories", "claim": "sgx.advisory_ids",
	"wanted": {"none but": object.get(settings, "allowed_advisories", [])},
	"lowers": "hardware", "value": unsafe,
}

holds contains "sgx-advisories" if {
	is_array(claims["sgx.advisory_ids"])
	every advisory in claims["sgx.advisory_ids"] {
		advisory in settings.allowed_advisories
	}
}

# Judged by collateral that knows what Intel knew then, or later.
rules contains {
	"rule": "sgx-tcb-evaluation", "claim": "sgx.tcb_evaluation_data_number",
	"wanted": {"at least": object.get(settings, "minimum_tcb_evaluation_data_number", "a number")},
	"lowers": "hardware", "value": unsafe,
}

holds contains "sgx-tcb-evaluation" if {
	is_number(claims["sgx.tcb_evaluation_data_number"])
	claims["sgx.tcb_evaluation_data_number"] >= settings.minimum_tcb_evaluation_data_number
}

# The enclave is one that somebody approved: by its measurement, or by who signed it (MRSIGNER) with
# product and security version, where those have reference values. `data.known` has these as an index:
# kind of evidence, claim, value.
rules contains {
	"rule": "sgx-enclave", "claim": "sgx.mrenclave", "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "sgx-enclave" if data.known.sgx.mrenclave[claims["sgx.mrenclave"]]

holds contains "sgx-enclave" if {
	data.known.sgx.mrsigner[claims["sgx.mrsigner"]]
	data.known.sgx.isv_prod_id[format_int(claims["sgx.isv_prod_id"], 10)]
}

# Not older than the operator wants, whoever signed it.
rules contains {
	"rule": "sgx-isv-svn", "claim": "sgx.isv_svn",
	"wanted": {"at least": object.get(settings, "minimum_isv_svn", "a number")},
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "sgx-isv-svn" if {
	is_number(claims["sgx.isv_svn"])
	claims["sgx.isv_svn"] >= settings.minimum_isv_svn
}

default vector := {}

vector := {"executables": approved_boot} if "sgx-enclave" in holds

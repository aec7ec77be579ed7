# Tests of the default policy: `claviger policy test sgx.rego sgx_test.rego`.
package claviger.appraisal

enclave := {
	"sgx.attributes_debug": false, "sgx.attributes_provision_key": false, "sgx.tcb_status": "UpToDate",
	"sgx.advisory_ids": [], "sgx.tcb_evaluation_data_number": 17, "sgx.mrenclave": "ab",
	"sgx.mrsigner": "cd", "sgx.isv_prod_id": 7, "sgx.isv_svn": 2,
}

strict := {
	"tcb_status": ["UpToDate"], "allowed_advisories": [], "allow_debug": false,
	"allow_provision_key": false, "minimum_isv_svn": 2, "minimum_tcb_evaluation_data_number": 17,
}

reference := {"sgx": {"mrenclave": {"ab": ["build-1"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.sgx.findings with input as {"submods": {"sgx": {"claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(enclave, {name: value})

chosen(name, value) := object.union(strict, {name: value})

test_a_sound_enclave_has_no_findings if unmet(enclave, strict, reference) == set()

test_what_opens_an_enclave_is_found if {
	unmet(changed("sgx.attributes_debug", true), strict, reference) == {"sgx-no-debug"}
	unmet(changed("sgx.attributes_provision_key", true), strict, reference) == {"sgx-no-provision-key"}
}

test_firmware_that_intel_calls_outdated_is_found if {
	old := changed("sgx.tcb_status", "SWHardeningNeeded")
	unmet(old, strict, reference) == {"sgx-tcb-status"}
	unmet(old, chosen("tcb_status", ["UpToDate", "SWHardeningNeeded"]), reference) == set()
}

test_an_advisory_that_nobody_knows_of_is_found if {
	warned := changed("sgx.advisory_ids", ["INTEL-SA-00615"])
	unmet(warned, strict, reference) == {"sgx-advisories"}
	unmet(warned, chosen("allowed_advisories", ["INTEL-SA-00615"]), reference) == set()
}

test_old_collateral_is_found if {
	unmet(changed("sgx.tcb_evaluation_data_number", 16), strict, reference) == {"sgx-tcb-evaluation"}
}

test_an_unknown_enclave_is_found if {
	unmet(changed("sgx.mrenclave", "00"), strict, reference) == {"sgx-enclave"}
	unmet(enclave, strict, {}) == {"sgx-enclave"}
}

test_a_signer_counts_with_the_product_that_it_signs if {
	signer := {"sgx": {"mrsigner": {"cd": ["vendor"]}}}
	unmet(enclave, strict, signer) == {"sgx-enclave"}
	product := {"sgx": {"mrsigner": {"cd": ["vendor"]}, "isv_prod_id": {"7": ["vendor"]}}}
	unmet(enclave, strict, product) == set()
	other := {"sgx": {"mrsigner": {"cd": ["vendor"]}, "isv_prod_id": {"8": ["vendor"]}}}
	unmet(enclave, strict, other) == {"sgx-enclave"}
}

test_an_older_enclave_is_found if unmet(changed("sgx.isv_svn", 1), strict, reference) == {"sgx-isv-svn"}

test_nothing_known_holds_for_nothing if count(unmet({}, strict, reference)) == 7

# Tests of the default policy: `claviger policy test cca.rego cca_test.rego`.
package claviger.appraisal

realm := {
	"cca.lifecycle_state": "secured", "cca.debug": false, "cca.implementation_id": "11", "cca.rim": "ab",
	"cca.rem0": "cd", "cca.sw_components": 2, "cca.sw_component_0_measurement": "f0",
	"cca.sw_component_0_signer_id": "a0", "cca.sw_component_1_measurement": "f1",
	"cca.sw_component_1_signer_id": "a0",
}

strict := {
	"allow_debug": false, "allow_unknown_firmware": false, "firmware_signers": null, "implementation_ids": null,
}

reference := {"cca": {"rim": {"ab": ["build-1"]}, "firmware": {"f0": ["tf-1"], "f1": ["tf-1"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.cca.findings with input as {"submods": {"cca": {"plugin_claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(realm, {name: value})

chosen(name, value) := object.union(strict, {name: value})

test_a_sound_realm_has_no_findings if unmet(realm, strict, reference) == set()

test_a_platform_that_is_not_secured_is_found if {
	unmet(changed("cca.lifecycle_state", "decommissioned"), strict, reference) == {"cca-secured"}
	debug := object.union(realm, {"cca.lifecycle_state": "non-platform-debug", "cca.debug": true})
	unmet(debug, strict, reference) == {"cca-secured"}
	unmet(debug, chosen("allow_debug", true), reference) == set()
	unmet(changed("cca.lifecycle_state", "unknown"), chosen("allow_debug", true), reference) == {"cca-secured"}
}

test_an_unknown_realm_is_found if {
	unmet(changed("cca.rim", "00"), strict, reference) == {"cca-realm"}
	unmet(realm, strict, {}) == {"cca-realm", "cca-firmware"}
}

test_unknown_firmware_is_found if {
	other := changed("cca.sw_component_1_measurement", "00")
	unmet(other, strict, reference) == {"cca-firmware"}
	unmet(other, chosen("allow_unknown_firmware", true), reference) == set()
	unmet(changed("cca.sw_components", 3), strict, reference) == {"cca-firmware"}
}

test_another_signer_is_found if {
	unmet(realm, chosen("firmware_signers", ["a0"]), reference) == set()
	unmet(realm, chosen("firmware_signers", []), reference) == {"cca-signer"}
	other := changed("cca.sw_component_1_signer_id", "a1")
	unmet(other, chosen("firmware_signers", ["a0"]), reference) == {"cca-signer"}
}

test_another_implementation_is_found if {
	unmet(realm, chosen("implementation_ids", ["22"]), reference) == {"cca-implementation"}
	unmet(realm, chosen("implementation_ids", ["11"]), reference) == set()
}

test_what_has_reference_values_of_its_own_is_held_to_them if {
	more := {"cca": object.union(reference.cca, {"rem0": {"00": ["build-1"]}})}
	unmet(realm, strict, more) == {"cca-other"}
	unmet(changed("cca.rem0", "00"), strict, more) == set()
}

test_nothing_known_holds_for_nothing if {
	unmet({}, strict, reference) == {"cca-secured", "cca-realm", "cca-firmware"}
}

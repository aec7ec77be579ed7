# Tests of the default policy: `claviger policy test nitro.rego nitro_test.rego`.
package claviger.appraisal

enclave := {"nitro.debug": false, "nitro.module_id": "i-1-enc2", "nitro.pcr0": "ab", "nitro.pcr1": "cd", "nitro.pcr8": "ef"}

strict := {"allow_debug": false, "module_ids": null, "modules_signed_by": null}

reference := {"nitro": {"pcr0": {"ab": ["build-1"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.nitro.findings with input as {"submods": {"nitro": {"plugin_claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(enclave, {name: value})

chosen(name, value) := object.union(strict, {name: value})

test_a_sound_enclave_has_no_findings if unmet(enclave, strict, reference) == set()

test_a_debug_enclave_is_found if {
	unmet(changed("nitro.debug", true), strict, reference) == {"nitro-no-debug"}
	unmet(changed("nitro.debug", true), chosen("allow_debug", true), reference) == set()
}

test_an_unknown_image_is_found if {
	unmet(changed("nitro.pcr0", "00"), strict, reference) == {"nitro-image"}
	unmet(enclave, strict, {}) == {"nitro-image"}
}

test_another_module_is_found if {
	unmet(enclave, chosen("module_ids", ["i-9"]), reference) == {"nitro-module"}
	unmet(enclave, chosen("module_ids", []), reference) == {"nitro-module"}
	unmet(enclave, chosen("module_ids", ["i-1-enc2"]), reference) == set()
}

test_another_signer_is_found if {
	unmet(enclave, chosen("modules_signed_by", ["00"]), reference) == {"nitro-signer"}
}

test_a_pcr_with_reference_values_of_its_own_is_held_to_them if {
	more := {"nitro": {"pcr0": {"ab": ["build-1"]}, "pcr1": {"00": ["build-1"]}}}
	unmet(enclave, strict, more) == {"nitro-other-pcr"}
}

test_an_instance_is_known_by_its_tpm if {
	instance := {"nitro.debug": false, "nitro.module_id": "i-1", "nitro.nitrotpm_pcr4": "ab", "nitro.nitrotpm_pcr7": "cd"}
	values := {"nitro": {"nitrotpm_pcr4": {"ab": ["image"]}, "pcr1": {"00": ["enclave"]}}}
	unmet(instance, strict, values) == set()
	unmet(instance, strict, {"nitro": {"nitrotpm_pcr4": {"00": ["image"]}}}) == {"nitro-image"}
	more := {"nitro": {"nitrotpm_pcr4": {"ab": ["image"]}, "nitrotpm_pcr7": {"00": ["image"]}}}
	unmet(instance, strict, more) == {"nitro-other-pcr"}
}

test_nothing_known_holds_for_nothing if {
	unmet({}, strict, reference) == {"nitro-no-debug", "nitro-image"}
}

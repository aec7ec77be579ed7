# Tests of the default policy: `claviger policy test snp.rego snp_test.rego`.
package claviger.appraisal

guest := {
	"snp.product": "Genoa", "snp.endorsement_key": "vcek", "snp.vmpl": 0, "snp.chip_id": "07",
	"snp.measurement": "ab",
	"snp.policy_debug": false, "snp.policy_migration_agent": false,
	"snp.policy_smt_allowed": true, "snp.policy_cxl_allowed": false,
	"snp.platform_alias_check": true, "snp.platform_ciphertext_hiding": false,
	"snp.reported_tcb_bootloader": 9, "snp.committed_tcb_bootloader": 9,
	"snp.launch_tcb_bootloader": 9,
}

strict := {
	"vmpl": [0], "allow_smt": true, "allow_debug": false, "allow_migration_agent": false,
	"allow_cxl": false, "allow_vlek": true, "milan": "warn", "require_alias_check": true,
	"require_ciphertext_hiding": false, "chip_ids": null,
	"minimum_tcb": {"Milan": {}, "Genoa": {"bootloader": 9}, "Turin": {}},
}

reference := {"snp": {"measurement": {"ab": ["build-1"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.snp.findings with input as {"submods": {"snp": {"claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(guest, {name: value})

test_a_sound_guest_has_no_findings if unmet(guest, strict, reference) == set()

test_a_guest_that_can_be_debugged_is_found if {
	unmet(changed("snp.policy_debug", true), strict, reference) == {"snp-no-debug"}
}

test_a_migration_agent_is_found if {
	unmet(changed("snp.policy_migration_agent", true), strict, reference) == {"snp-no-migration-agent"}
}

test_memory_that_was_not_checked_for_aliases_is_found if {
	unmet(changed("snp.platform_alias_check", false), strict, reference) == {"snp-alias-check"}
}

test_milan_is_found_unless_it_is_allowed if {
	milan_guest := changed("snp.product", "Milan")
	unmet(milan_guest, strict, reference) == {"snp-generation"}
	unmet(milan_guest, object.union(strict, {"milan": "allow"}), reference) == set()
}

test_old_firmware_is_found if {
	unmet(changed("snp.committed_tcb_bootloader", 8), strict, reference) == {"snp-minimum-tcb"}
}

test_another_privilege_level_is_found if {
	unmet(changed("snp.vmpl", 1), strict, reference) == {"snp-vmpl"}
}

test_an_empty_list_of_chips_matches_none if {
	unmet(guest, object.union(strict, {"chip_ids": []}), reference) == {"snp-pinned-chip"}
}

test_a_measurement_without_a_reference_value_is_found if {
	unmet(guest, strict, {}) == {"snp-measurement"}
	unmet(changed("snp.measurement", "cd"), strict, reference) == {"snp-measurement"}
}

test_what_is_missing_does_not_hold if {
	count(unmet({}, {}, {})) >= 10
}

# Tests of the default policy: `claviger policy test az-snp.rego az-snp_test.rego`.
package claviger.appraisal

unmet(facts, said, chosen, values) := rules if {
	found := result.submods["az-snp"].findings with input as {"submods": {"az-snp": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

affirmed(facts, said, chosen, values) := tier if {
	vector := result.submods["az-snp"].vector with input as {"submods": {"az-snp": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	tier := object.get(vector, "executables", 0)
}

but(object_, name, value) := object.union(object_, {name: value})

report := {
	"snp.policy_debug": false, "snp.policy_migration_agent": false, "snp.vmpl": 0, "snp.product": "Genoa",
	"snp.measurement": "aa", "snp.id_key_digest": "bb", "snp.reported_tcb_snp": 20,
}

machine := {"az-snp.secure_boot": true, "az-snp.vm_unique_id": "A", "az-snp.pcr4": "44", "az-snp.pcr7": "77"}

strict := {
	"allow_debug": false, "allow_migration_agent": false, "milan": "warn", "minimum_tcb": {},
	"paravisor_signers": null, "require_secure_boot": true, "required_pcrs": [4, 7], "vm_ids": null,
}

reference := {"az-snp": {"measurement": {"aa": ["hcl"]}, "pcr4": {"44": ["image"]}, "pcr7": {"77": ["image"]}}}

test_a_sound_machine_has_no_findings if {
	unmet(report, machine, strict, reference) == set()
	affirmed(report, machine, strict, reference) == 3
}

test_nothing_known_holds_for_nothing if {
	unmet({}, {}, strict, {}) == {
		"az-snp-no-debug", "az-snp-no-migration-agent", "az-snp-vmpl", "az-snp-generation", "az-snp-paravisor", "az-snp-secure-boot", "az-snp-pcr",
	}
}

test_debug_and_migration_are_found if {
	unmet(but(report, "snp.policy_debug", true), machine, strict, reference) == {"az-snp-no-debug"}
	unmet(but(report, "snp.policy_migration_agent", true), machine, strict, reference) == {"az-snp-no-migration-agent"}
	unmet(but(report, "snp.policy_debug", true), machine, but(strict, "allow_debug", true), reference) == set()
}

test_a_report_that_the_guest_asked_for_is_found if {
	unmet(but(report, "snp.vmpl", 2), machine, strict, reference) == {"az-snp-vmpl"}
}

test_milan_is_found if {
	unmet(but(report, "snp.product", "Milan"), machine, strict, reference) == {"az-snp-generation"}
	unmet(but(report, "snp.product", "Milan"), machine, but(strict, "milan", "allow"), reference) == set()
}

test_old_firmware_is_found_where_a_floor_is_set if {
	floor := but(strict, "minimum_tcb", {"Genoa": {"snp": 21}})
	unmet(report, machine, floor, reference) == {"az-snp-minimum-tcb"}
	unmet(report, machine, but(strict, "minimum_tcb", {"Genoa": {"snp": 20}}), reference) == set()
	unmet(report, machine, but(strict, "minimum_tcb", {"Turin": {"snp": 1}}), reference) == {"az-snp-minimum-tcb"}
}

test_an_unknown_paravisor_is_found_unless_its_signer_is_known if {
	other := but(report, "snp.measurement", "00")
	unmet(other, machine, strict, reference) == {"az-snp-paravisor"}
	affirmed(other, machine, strict, reference) == 0
	unmet(other, machine, but(strict, "paravisor_signers", ["bb"]), reference) == set()
	unmet(other, machine, but(strict, "paravisor_signers", ["cc"]), reference) == {"az-snp-paravisor"}
}

test_without_secure_boot_it_is_found if {
	unmet(report, but(machine, "az-snp.secure_boot", false), strict, reference) == {"az-snp-secure-boot"}
	off := but(strict, "require_secure_boot", false)
	unmet(report, but(machine, "az-snp.secure_boot", false), off, reference) == set()
}

test_every_listed_pcr_must_be_known if {
	unmet(report, but(machine, "az-snp.pcr7", "00"), strict, reference) == {"az-snp-pcr"}
	affirmed(report, but(machine, "az-snp.pcr7", "00"), strict, reference) == 0
	unmet(report, machine, but(strict, "required_pcrs", [4, 7, 9]), reference) == {"az-snp-pcr"}
	affirmed(report, machine, but(strict, "required_pcrs", []), reference) == 0
}

test_another_machine_is_found if {
	unmet(report, machine, but(strict, "vm_ids", ["B"]), reference) == {"az-snp-vm"}
	unmet(report, machine, but(strict, "vm_ids", []), reference) == {"az-snp-vm"}
	unmet(report, machine, but(strict, "vm_ids", ["A"]), reference) == set()
}

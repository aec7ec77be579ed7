# Tests of the default policy: `claviger policy test az-tdx.rego az-tdx_test.rego`.
package claviger.appraisal

unmet(facts, said, chosen, values) := rules if {
	found := result.submods["az-tdx"].findings with input as {"submods": {"az-tdx": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

affirmed(facts, said, chosen, values) := tier if {
	vector := result.submods["az-tdx"].vector with input as {"submods": {"az-tdx": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	tier := object.get(vector, "executables", 0)
}

but(object_, name, value) := object.union(object_, {name: value})

report := {
	"tdx.td_attributes_debug": false, "tdx.td_attributes_migratable": false, "tdx.tcb_status": "UpToDate",
	"tdx.mrtd": "aa",
}

machine := {"az-tdx.secure_boot": true, "az-tdx.vm_unique_id": "A", "az-tdx.pcr4": "44", "az-tdx.pcr7": "77"}

strict := {
	"allow_debug": false, "allow_migratable": false, "require_secure_boot": true, "required_pcrs": [4, 7],
	"tcb_statuses": ["UpToDate"], "vm_ids": null,
}

reference := {"az-tdx": {"mrtd": {"aa": ["hcl"]}, "pcr4": {"44": ["image"]}, "pcr7": {"77": ["image"]}}}

test_a_sound_machine_has_no_findings if {
	unmet(report, machine, strict, reference) == set()
	affirmed(report, machine, strict, reference) == 3
}

test_nothing_known_holds_for_nothing if {
	unmet({}, {}, strict, {}) == {
		"az-tdx-no-debug", "az-tdx-not-migratable", "az-tdx-tcb-status", "az-tdx-paravisor", "az-tdx-secure-boot", "az-tdx-pcr",
	}
}

test_debug_and_migration_are_found if {
	unmet(but(report, "tdx.td_attributes_debug", true), machine, strict, reference) == {"az-tdx-no-debug"}
	unmet(but(report, "tdx.td_attributes_migratable", true), machine, strict, reference) == {"az-tdx-not-migratable"}
	unmet(but(report, "tdx.td_attributes_debug", true), machine, but(strict, "allow_debug", true), reference) == set()
}

test_firmware_that_is_out_of_date_is_found if {
	old := but(report, "tdx.tcb_status", "OutOfDate")
	unmet(old, machine, strict, reference) == {"az-tdx-tcb-status"}
	unmet(old, machine, but(strict, "tcb_statuses", ["OutOfDate"]), reference) == set()
}

test_an_unknown_paravisor_is_found if {
	unmet(but(report, "tdx.mrtd", "00"), machine, strict, reference) == {"az-tdx-paravisor"}
	affirmed(but(report, "tdx.mrtd", "00"), machine, strict, reference) == 0
}

test_without_secure_boot_it_is_found if {
	unmet(report, but(machine, "az-tdx.secure_boot", false), strict, reference) == {"az-tdx-secure-boot"}
	off := but(strict, "require_secure_boot", false)
	unmet(report, but(machine, "az-tdx.secure_boot", false), off, reference) == set()
}

test_every_listed_pcr_must_be_known if {
	unmet(report, but(machine, "az-tdx.pcr7", "00"), strict, reference) == {"az-tdx-pcr"}
	affirmed(report, but(machine, "az-tdx.pcr7", "00"), strict, reference) == 0
	unmet(report, machine, but(strict, "required_pcrs", [4, 7, 9]), reference) == {"az-tdx-pcr"}
	affirmed(report, machine, but(strict, "required_pcrs", []), reference) == 0
}

test_another_machine_is_found if {
	unmet(report, machine, but(strict, "vm_ids", ["B"]), reference) == {"az-tdx-vm"}
	unmet(report, machine, but(strict, "vm_ids", []), reference) == {"az-tdx-vm"}
	unmet(report, machine, but(strict, "vm_ids", ["A"]), reference) == set()
}

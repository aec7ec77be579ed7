# Tests of the default policy: `claviger policy test tdx.rego tdx_test.rego`.
package claviger.appraisal

domain := {
	"tdx.td_attributes_debug": false, "tdx.td_attributes_sept_ve_disable": true,
	"tdx.td_attributes_migratable": false, "tdx.td_attributes_perfmon": false,
	"tdx.seam_attributes": "0000000000000000", "tdx.tcb_status": "UpToDate", "tdx.advisory_ids": [],
	"tdx.tcb_evaluation_data_number": 17, "tdx.mrtd": "ab", "tdx.rtmr1": "cd",
}

strict := {
	"tcb_status": ["UpToDate"], "allowed_advisories": [], "allow_debug": false, "allow_migration": false,
	"allow_service_td": false, "allow_perfmon": false, "require_sept_ve_disable": true,
	"minimum_tcb_evaluation_data_number": 17, "platform_instance_ids": null,
}

reference := {"tdx": {"mrtd": {"ab": ["build-1"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.tdx.findings with input as {"submods": {"tdx": {"claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(domain, {name: value})

chosen(name, value) := object.union(strict, {name: value})

test_a_sound_domain_has_no_findings if unmet(domain, strict, reference) == set()

test_each_attribute_that_opens_a_domain_is_found if {
	unmet(changed("tdx.td_attributes_debug", true), strict, reference) == {"tdx-no-debug"}
	unmet(changed("tdx.td_attributes_sept_ve_disable", false), strict, reference) == {"tdx-sept-ve-disable"}
	unmet(changed("tdx.td_attributes_migratable", true), strict, reference) == {"tdx-no-migration"}
	unmet(changed("tdx.td_attributes_perfmon", true), strict, reference) == {"tdx-no-perfmon"}
	unmet(changed("tdx.seam_attributes", "0100000000000000"), strict, reference) == {"tdx-production-module"}
}

test_a_service_domain_is_found if {
	unmet(changed("tdx.mr_servicetd", "07"), strict, reference) == {"tdx-no-service-td"}
	unmet(changed("tdx.mr_servicetd", zeros), strict, reference) == set()
	unmet(changed("tdx.mr_servicetd", "07"), chosen("allow_service_td", true), reference) == set()
}

test_firmware_that_intel_calls_outdated_is_found if {
	old := changed("tdx.tcb_status", "OutOfDate")
	unmet(old, strict, reference) == {"tdx-tcb-status"}
	unmet(old, chosen("tcb_status", ["UpToDate", "OutOfDate"]), reference) == set()
}

test_an_advisory_that_nobody_knows_of_is_found if {
	warned := changed("tdx.advisory_ids", ["INTEL-SA-00960"])
	unmet(warned, strict, reference) == {"tdx-advisories"}
	unmet(warned, chosen("allowed_advisories", ["INTEL-SA-00960"]), reference) == set()
	unmet(object.remove(domain, ["tdx.advisory_ids"]), strict, reference) == {"tdx-advisories"}
}

test_old_collateral_is_found if {
	unmet(changed("tdx.tcb_evaluation_data_number", 16), strict, reference) == {"tdx-tcb-evaluation"}
}

test_another_machine_is_found if {
	unmet(domain, chosen("platform_instance_ids", ["01"]), reference) == {"tdx-platform"}
	here := changed("tdx.platform_instance_id", "01")
	unmet(here, chosen("platform_instance_ids", ["01"]), reference) == set()
}

test_an_unknown_image_is_found if {
	unmet(changed("tdx.mrtd", "00"), strict, reference) == {"tdx-mrtd"}
	unmet(domain, strict, {}) == {"tdx-mrtd"}
}

test_a_register_with_reference_values_is_held_to_them if {
	more := {"tdx": {"mrtd": {"ab": ["build-1"]}, "rtmr1": {"00": ["build-1"]}}}
	unmet(domain, strict, more) == {"tdx-reference"}
	same := {"tdx": {"mrtd": {"ab": ["build-1"]}, "rtmr1": {"cd": ["build-1"]}}}
	unmet(domain, strict, same) == set()
}

test_nothing_known_holds_for_nothing if {
	found := unmet({}, strict, reference)
	count(found) == 10
	not "tdx-platform" in found
}

# Tests of the default policy: `claviger policy test tpm.rego tpm_test.rego`.
package claviger.appraisal

unmet(facts, said, chosen, values) := rules if {
	found := result.submods["tpm"].findings with input as {"submods": {"tpm": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

affirmed(facts, said, chosen, values) := tier if {
	vector := result.submods["tpm"].vector with input as {"submods": {"tpm": {"claims": facts, "plugin_claims": said}}}
		with data.settings as chosen
		with data.known as values
	tier := object.get(vector, "executables", 0)
}

but(object_, name, value) := object.union(object_, {name: value})

report := {}

machine := {
	"tpm.secure_boot": true, "tpm.ak": "certified", "tpm.ak_fingerprint": "aa", "tpm.pcr4": "44", "tpm.pcr7": "77",
}

strict := {
	"ak_fingerprints": null, "allow_enrolled": false, "require_secure_boot": true, "required_pcrs": [4, 7],
}

reference := {"tpm": {"pcr4": {"44": ["image"]}, "pcr7": {"77": ["image"]}}}

test_a_sound_machine_has_no_findings if {
	unmet(report, machine, strict, reference) == set()
	affirmed(report, machine, strict, reference) == 3
}

test_nothing_known_holds_for_nothing if {
	unmet({}, {}, strict, {}) == {"tpm-key", "tpm-secure-boot", "tpm-pcr"}
}

test_an_enrolled_key_is_found_where_it_is_not_allowed if {
	unmet(report, but(machine, "tpm.ak", "enrolled"), strict, reference) == {"tpm-key"}
	unmet(report, but(machine, "tpm.ak", "enrolled"), but(strict, "allow_enrolled", true), reference) == set()
}

test_a_machine_that_is_not_listed_is_found if {
	unmet(report, machine, but(strict, "ak_fingerprints", ["bb"]), reference) == {"tpm-machine"}
	unmet(report, machine, but(strict, "ak_fingerprints", []), reference) == {"tpm-machine"}
	unmet(report, machine, but(strict, "ak_fingerprints", ["bb", "aa"]), reference) == set()
}

test_without_secure_boot_it_is_found if {
	unmet(report, but(machine, "tpm.secure_boot", false), strict, reference) == {"tpm-secure-boot"}
	off := but(strict, "require_secure_boot", false)
	unmet(report, but(machine, "tpm.secure_boot", false), off, reference) == set()
}

test_every_listed_pcr_must_be_known if {
	unmet(report, but(machine, "tpm.pcr7", "00"), strict, reference) == {"tpm-pcr"}
	affirmed(report, but(machine, "tpm.pcr7", "00"), strict, reference) == 0
	unmet(report, machine, but(strict, "required_pcrs", [4, 7, 9]), reference) == {"tpm-pcr"}
	affirmed(report, machine, but(strict, "required_pcrs", []), reference) == 0
}

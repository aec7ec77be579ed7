# Tests of the default policy: `claviger policy test nvidia.rego nvidia_test.rego`.
package claviger.appraisal

gpu := {
	"nvidia.kind": "gpu", "nvidia.arch": "HOPPER", "nvidia.serial": "48B0",
	"nvidia.driver_version": "550.90.07", "nvidia.vbios_version": "96.00.9F.00.01",
	"nvidia.nvdec0_enabled": false, "nvidia.measurement_9": "ab", "nvidia.measurement_36": "cd",
}

strict := {
	"allow_debug": false, "allow_switches": false, "architectures": ["BLACKWELL", "HOPPER"], "driver_versions": null,
	"required_measurements": [], "serials": null, "vbios_versions": null,
}

reference := {"nvidia": {"measurement_9": {"ab": ["driver-550"]}}}

unmet(claims, chosen, values) := rules if {
	found := result.submods.nvidia.findings with input as {"submods": {"nvidia": {"plugin_claims": claims}}}
		with data.settings as chosen
		with data.known as values
	rules := {finding.rule | some finding in found}
}

changed(name, value) := object.union(gpu, {name: value})

chosen(name, value) := object.union(strict, {name: value})

test_a_sound_gpu_has_no_findings if unmet(gpu, strict, reference) == set()

test_firmware_that_may_be_debugged_is_found if {
	unmet(changed("nvidia.debug", true), strict, reference) == {"nvidia-no-debug"}
	unmet(changed("nvidia.debug", true), chosen("allow_debug", true), reference) == set()
	unmet(changed("nvidia.arch", "BLACKWELL"), strict, reference) == {"nvidia-no-debug"}
	unmet(object.union(gpu, {"nvidia.arch": "BLACKWELL", "nvidia.debug": false}), strict, reference) == set()
}

test_a_switch_is_found if {
	switch := object.union(gpu, {"nvidia.kind": "switch", "nvidia.arch": "LS10"})
	unmet(switch, strict, reference) == {"nvidia-gpu"}
	unmet(switch, chosen("allow_switches", true), reference) == set()
	unmet(changed("nvidia.kind", "other"), chosen("allow_switches", true), reference) == {"nvidia-gpu"}
}

test_another_architecture_is_found if {
	unmet(gpu, chosen("architectures", ["BLACKWELL"]), reference) == {"nvidia-architecture"}
}

test_another_version_or_device_is_found if {
	unmet(gpu, chosen("driver_versions", ["575.32"]), reference) == {"nvidia-driver"}
	unmet(gpu, chosen("driver_versions", ["550.90.07"]), reference) == set()
	unmet(gpu, chosen("vbios_versions", []), reference) == {"nvidia-vbios"}
	unmet(gpu, chosen("serials", ["48B1"]), reference) == {"nvidia-serial"}
}

test_unknown_firmware_is_found if {
	unmet(gpu, strict, {}) == {"nvidia-firmware"}
	unmet(changed("nvidia.measurement_9", "00"), strict, reference) == {"nvidia-firmware", "nvidia-measurement"}
}

test_a_measurement_that_has_reference_values_is_held_to_them if {
	more := {"nvidia": {"measurement_9": {"ab": ["driver-550"]}, "measurement_10": {"ef": ["driver-550"]}}}
	unmet(gpu, strict, more) == {"nvidia-measurement"}
	unmet(changed("nvidia.measurement_10", "00"), strict, more) == {"nvidia-measurement"}
	unmet(changed("nvidia.measurement_10", "ef"), strict, more) == set()
}

test_the_measurement_of_a_decoder_that_is_off_is_not_looked_at if {
	more := {"nvidia": {"measurement_9": {"ab": ["driver-550"]}, "measurement_36": {"00": ["driver-550"]}}}
	unmet(gpu, strict, more) == set()
	unmet(changed("nvidia.nvdec0_enabled", true), strict, more) == {"nvidia-measurement"}
}

test_a_measurement_that_is_required_must_be_known if {
	unmet(gpu, chosen("required_measurements", ["measurement_9"]), reference) == set()
	unmet(gpu, chosen("required_measurements", ["measurement_9", "measurement_10"]), reference) == {"nvidia-required"}
}

test_nothing_known_holds_for_nothing if {
	unmet({}, strict, {}) == {"nvidia-gpu", "nvidia-architecture", "nvidia-no-debug", "nvidia-firmware"}
}

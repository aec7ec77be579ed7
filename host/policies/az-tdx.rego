# What evidence of an Azure confidential VM on Intel TDX must be to be affirmed: the default policy.
#
# The TD's quote, the vTPM's key behind it and the vTPM's quote were checked before this policy is asked. What
# is left to judge is what they say.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim that
# is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers one claim of
# the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"az-tdx": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# What the hardware says, read by the host.
default hardware := {}

hardware := input.submods["az-tdx"].claims

# What paravisor and vTPM say: the host checked that the hardware vouches for their bytes.
default claims := {}

claims := input.submods["az-tdx"].plugin_claims

# The operator's choices: `appraisal.az-tdx.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# The hypervisor may not read and write the TD's memory as a debugger does.
rules contains {
	"rule": "az-tdx-no-debug", "claim": "tdx.td_attributes_debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "az-tdx-no-debug" if settings.allow_debug == true

holds contains "az-tdx-no-debug" if hardware["tdx.td_attributes_debug"] == false

# No other TD holds this one's keys to move it.
rules contains {
	"rule": "az-tdx-not-migratable", "claim": "tdx.td_attributes_migratable", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "az-tdx-not-migratable" if settings.allow_migratable == true

holds contains "az-tdx-not-migratable" if hardware["tdx.td_attributes_migratable"] == false

# Processor, TDX module and quoting enclave are as new as Intel asks for.
rules contains {
	"rule": "az-tdx-tcb-status", "claim": "tdx.tcb_status",
	"wanted": {"one of": object.get(settings, "tcb_statuses", [])},
	"lowers": "hardware", "value": contraindicated,
}

holds contains "az-tdx-tcb-status" if hardware["tdx.tcb_status"] in settings.tcb_statuses

# Whoever launches a TD could bring a vTPM of their own: only a paravisor that is known keeps one that can
# be believed. It is known by its measurement.
rules contains {
	"rule": "az-tdx-paravisor", "claim": "tdx.mrtd", "wanted": "a known paravisor",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "az-tdx-paravisor" if data.known["az-tdx"].mrtd[hardware["tdx.mrtd"]]

# The firmware starts only what is signed by a key that it knows.
rules contains {
	"rule": "az-tdx-secure-boot", "claim": "az-tdx.secure_boot", "wanted": true,
	"lowers": "configuration", "value": unsafe,
}

holds contains "az-tdx-secure-boot" if settings.require_secure_boot == false

holds contains "az-tdx-secure-boot" if claims["az-tdx.secure_boot"] == true

# Only these machines, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "az-tdx-vm", "claim": "az-tdx.vm_unique_id", "wanted": "one of the listed machines",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "az-tdx-vm" if settings.vm_ids == null

holds contains "az-tdx-vm" if claims["az-tdx.vm_unique_id"] in settings.vm_ids

# What the VM runs is what somebody approved: every listed PCR is a reference value. By default these are
# 4 (what the firmware started: boot loaders, or a unified kernel), 7 (Secure Boot: whose signatures are
# enough), 8 and 9 (the boot loader's commands; the kernel, its command line and the initial file
# system), 11 to 13 (a unified kernel's parts, what overrides its command line, its extensions): without any
# of them somebody may choose what runs. One that a system does not use is all zeros, and listed so.
findings contains {
	"rule": "az-tdx-pcr", "claim": register(index), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some index in settings.required_pcrs
	not known(index)
}

register(index) := sprintf("az-tdx.pcr%d", [index])

known(index) if data.known["az-tdx"][sprintf("pcr%d", [index])][claims[register(index)]]

default vector := {}

vector := {"executables": approved_boot} if {
	count(settings.required_pcrs) > 0
	every index in settings.required_pcrs {
		known(index)
	}
	"az-tdx-paravisor" in holds
}

# What evidence of an Azure confidential VM on AMD SEV-SNP must be to be affirmed: the default policy.
#
# The SNP report, the vTPM's key behind it and the quote were checked before this policy is asked. What is
# left to judge is what they say.
#
# Every rule is listed once, in `rules`, and holds only where a `holds` of its name proves it: a claim that
# is missing proves nothing, so what is not known does not hold. A rule that does not hold lowers one claim of
# the trustworthiness vector (AR4SI) to a value.
#
package claviger.appraisal

result := {"submods": {"az-snp": {"vector": vector, "findings": findings}}}

findings contains rule if {
	some rule in rules
	not rule.rule in holds
}

# What the hardware says, read by the host.
default hardware := {}

hardware := input.submods["az-snp"].claims

# What paravisor and vTPM say: the host checked that the hardware vouches for their bytes.
default claims := {}

claims := input.submods["az-snp"].plugin_claims

# The operator's choices: `appraisal.az-snp.settings`.
default settings := {}

settings := data.settings

# Values of AR4SI.
approved_boot := 3

unsafe := 32

unrecognized_executables := 33

contraindicated := 96

unrecognized_instance := 97

# The hypervisor may not read and write the VM's memory as a debugger does.
rules contains {
	"rule": "az-snp-no-debug", "claim": "snp.policy_debug", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "az-snp-no-debug" if settings.allow_debug == true

holds contains "az-snp-no-debug" if hardware["snp.policy_debug"] == false

# No other guest holds this one's keys to move it.
rules contains {
	"rule": "az-snp-no-migration-agent", "claim": "snp.policy_migration_agent", "wanted": false,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "az-snp-no-migration-agent" if settings.allow_migration_agent == true

holds contains "az-snp-no-migration-agent" if hardware["snp.policy_migration_agent"] == false

# The report was asked for by the paravisor, which keeps the vTPM away from the guest.
rules contains {
	"rule": "az-snp-vmpl", "claim": "snp.vmpl", "wanted": 0,
	"lowers": "configuration", "value": contraindicated,
}

holds contains "az-snp-vmpl" if hardware["snp.vmpl"] == 0

# Milan's attestation keys can be extracted (arXiv 2605.12990). Azure has many of them.
rules contains {
	"rule": "az-snp-generation", "claim": "snp.product", "wanted": "Genoa or Turin",
	"lowers": "hardware", "value": milan,
}

default milan := 96

milan := unsafe if settings.milan == "warn"

holds contains "az-snp-generation" if hardware["snp.product"] in {"Genoa", "Turin"}

holds contains "az-snp-generation" if {
	hardware["snp.product"] == "Milan"
	settings.milan == "allow"
}

# Every part of the firmware is as new as the operator wants for this product, where anything is wanted.
findings contains {
	"rule": "az-snp-minimum-tcb", "claim": "snp.reported_tcb",
	"wanted": {"at least": object.get(settings.minimum_tcb, product, "a product that is known")},
	"lowers": "hardware", "value": contraindicated,
} if {
	count(settings.minimum_tcb) > 0
	not new_enough
}

product := object.get(hardware, "snp.product", "unknown")

new_enough if {
	every part, least in settings.minimum_tcb[product] {
		is_number(hardware[concat("", ["snp.reported_tcb_", part])])
		hardware[concat("", ["snp.reported_tcb_", part])] >= least
	}
}

# Whoever launches a VM could bring a vTPM of their own: only a paravisor that is known keeps one that can
# be believed. It is known by its measurement, or by who signed it (the digest of the ID key).
rules contains {
	"rule": "az-snp-paravisor", "claim": "snp.measurement", "wanted": "a known paravisor",
	"lowers": "executables", "value": unrecognized_executables,
}

holds contains "az-snp-paravisor" if data.known["az-snp"].measurement[hardware["snp.measurement"]]

holds contains "az-snp-paravisor" if hardware["snp.id_key_digest"] in settings.paravisor_signers

# The firmware starts only what is signed by a key that it knows.
rules contains {
	"rule": "az-snp-secure-boot", "claim": "az-snp.secure_boot", "wanted": true,
	"lowers": "configuration", "value": unsafe,
}

holds contains "az-snp-secure-boot" if settings.require_secure_boot == false

holds contains "az-snp-secure-boot" if claims["az-snp.secure_boot"] == true

# Only these machines, where the operator lists any; an empty list matches none.
rules contains {
	"rule": "az-snp-vm", "claim": "az-snp.vm_unique_id", "wanted": "one of the listed machines",
	"lowers": "instance-identity", "value": unrecognized_instance,
}

holds contains "az-snp-vm" if settings.vm_ids == null

holds contains "az-snp-vm" if claims["az-snp.vm_unique_id"] in settings.vm_ids

# What the VM runs is what somebody approved: every listed PCR is a reference value. By default these are
# 4 (what the firmware started: boot loaders, or a unified kernel), 7 (Secure Boot: whose signatures are
# enough), 8 and 9 (the boot loader's commands; the kernel, its command line and the initial file
# system), 11 to 13 (a unified kernel's parts, what overrides its command line, its extensions): without any
# of them somebody may choose what runs. One that a system does not use is all zeros, and listed so.
findings contains {
	"rule": "az-snp-pcr", "claim": register(index), "wanted": "one of the reference values",
	"lowers": "executables", "value": unrecognized_executables,
} if {
	some index in settings.required_pcrs
	not known(index)
}

register(index) := sprintf("az-snp.pcr%d", [index])

known(index) if data.known["az-snp"][sprintf("pcr%d", [index])][claims[register(index)]]

default vector := {}

vector := {"executables": approved_boot} if {
	count(settings.required_pcrs) > 0
	every index in settings.required_pcrs {
		known(index)
	}
	"az-snp-paravisor" in holds
}

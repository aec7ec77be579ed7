# Beside the built-in policy (`claviger policy print > snp.rego`; `policy = ["snp.rego",
# "snp-host-data.rego"]` in the section `snp`): only guests that were launched with this host data, in
# which a hypervisor puts the digest of what it was told to start.
package claviger.appraisal

launched_with := {"c0ffee00000000000000000000000000000000000000000000000000000000aa"}

rules contains {
	"rule": "own-host-data", "claim": "snp.host_data", "wanted": "one of ours",
	"lowers": "configuration", "value": contraindicated,
}

holds contains "own-host-data" if claims["snp.host_data"] in launched_with

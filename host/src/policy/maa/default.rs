//! The policies that hold where nobody set one: MAA's own ("Examples of an Azure Attestation policy").

/// For enclaves: the names of before 2020 are issued beside today's.
const ENCLAVE: &str = r#"version= 1.1;
configurationrules{
	=> issueproperty(type="x-ms-sgx-tcbidentifier", value="azuredefault");
};
authorizationrules{
	=> permit();
};
issuancerules{
	c:[type=="x-ms-sgx-is-debuggable"] => issue(type="is-debuggable", value=c.value);
	c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);
	c:[type=="x-ms-sgx-mrenclave"] => issue(type="sgx-mrenclave", value=c.value);
	c:[type=="x-ms-sgx-product-id"] => issue(type="product-id", value=c.value);
	c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value);
	c:[type=="x-ms-attestation-type"] => issue(type="tee", value=c.value);
};
"#;

/// For machines: whoever comes with genuine evidence is told what it says.
const MACHINE: &str =
    "version= 1.0;\nauthorizationrules{\n\t=> permit();\n};\nissuancerules{\n};\n";

/// The default policy of an attestation type, by its name in the paths; none: there is no such type.
#[must_use]
pub fn default_policy(attestation_type: &str) -> Option<&'static str> {
    match attestation_type {
        "OpenEnclave" | "SgxEnclave" => Some(ENCLAVE),
        "AzureGuest" | "SevSnpVm" | "TdxVm" | "Tpm" => Some(MACHINE),
        _ => None,
    }
}

//! Reads the claims of results with Veraison's crate `ear`, which follows draft -04.
//!
//! Standard input: a line for each result, `json` or `cbor`, a space, and the claims in hexadecimal.
//! Standard output: a line for each, `status build policy,policy` or `refused: why`.

use std::io::{BufRead, stdin};

fn read(line: &str) -> Result<String, String> {
    let (form, hex) = line.split_once(' ').ok_or("no form")?;
    let octet = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let claims: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(octet).collect();
    let claims = claims.ok_or("not hexadecimal")?;
    let ear: ear::Ear = match form {
        "json" => serde_json::from_slice(&claims).map_err(|error| error.to_string())?,
        _ => ciborium::from_reader(claims.as_slice()).map_err(|error| error.to_string())?,
    };
    ear.validate().map_err(|error| error.to_string())?;
    let submod = ear.submods.get("snp").ok_or("no submodule snp")?;
    if ear.profile != ear::EAR_PROFILE || !submod.attester_claims.contains_key("snp.measurement") {
        return Err("another profile, or no claims".to_owned());
    }
    Ok(format!("{} {:?} {}", submod.status, ear.vid.build, submod.policy_ids.join(",")))
}

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        match read(&line) {
            Ok(read) => println!("{read}"),
            Err(why) => println!("refused: {why}"),
        }
    }
}

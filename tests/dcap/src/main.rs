//! Judges quotes with the crate `dcap-qvl`.
//!
//! Standard input: a line for each quote, the moment in seconds, then root certificate (`-` for Intel's own),
//! quote and collateral (JSON) in hexadecimal. Standard output: a line for each, `status advisory,advisory` or
//! `refused: why`.

use std::io::{BufRead, stdin};

use data_encoding::HEXLOWER;
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;

fn judge(line: &str) -> Result<String, String> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [at, root, quote, collateral] = parts.as_slice() else { return Err("no line".into()) };
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).map_err(|error| error.to_string());
    let at = at.parse().map_err(|_| "no moment")?;
    let collateral: QuoteCollateralV3 =
        serde_json::from_slice(&hex(collateral)?).map_err(|error| error.to_string())?;
    let verifier = match *root {
        "-" => QuoteVerifier::new_prod(),
        root => QuoteVerifier::new(hex(root)?),
    };
    let verifier = verifier.allow_debug(true).allow_service_td(true);
    let report = verifier
        .verify(&hex(quote)?, &collateral, at)
        .map_err(|error| format!("{error:#}").replace('\n', " "))?;
    Ok(format!("{} {}", report.status, report.advisory_ids.join(",")))
}

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        match judge(&line) {
            Ok(judged) => println!("{judged}"),
            Err(why) => println!("refused: {why}"),
        }
    }
}

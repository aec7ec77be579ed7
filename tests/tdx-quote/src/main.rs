//! Reads and checks quotes with the crate `tdx-quote`: signatures and the chain up to Intel's root; neither dates,
//! revocation, the quoting enclave's identity nor the TCB.
//!
//! Standard input: a quote of version 4 in hexadecimal on each line. Standard output: a line for each, REPORT_DATA,
//! MRTD and RTMR0 to RTMR3 in hexadecimal, or `refused: why`.

use std::io::{BufRead, stdin};
use std::panic::catch_unwind;

use data_encoding::HEXLOWER;
use tdx_quote::Quote;

fn judge(line: &str) -> Result<String, String> {
    let bytes = HEXLOWER.decode(line.as_bytes()).map_err(|error| error.to_string())?;
    let quote = Quote::from_bytes(&bytes).map_err(|error| error.to_string())?;
    quote.verify().map_err(|error| error.to_string())?;
    let fields = [
        HEXLOWER.encode(&quote.report_input_data()),
        HEXLOWER.encode(&quote.mrtd()),
        HEXLOWER.encode(&quote.rtmr0()),
        HEXLOWER.encode(&quote.rtmr1()),
        HEXLOWER.encode(&quote.rtmr2()),
        HEXLOWER.encode(&quote.rtmr3()),
    ];
    Ok(fields.join(" "))
}

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        // It panics on what is not well formed.
        match catch_unwind(|| judge(&line)).unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(judged) => println!("{judged}"),
            Err(why) => println!("refused: {why}"),
        }
    }
}

//! A program that makes evidence: `claviger simulate --report-data` of a development host. Only for
//! development; nothing of what it says is worth anything.

use std::process::{Command, Stdio};

use claviger_client::{Evidence, PlatformError};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Deserialize;

use super::Attester;

/// Program and arguments; the report data in lower-case hexadecimal are the last one.
pub(super) struct Program(Vec<String>);

impl Program {
    pub(super) fn new(command: Vec<String>) -> Self {
        Self(command)
    }
}

/// What it prints: evidence as the host's API takes it.
#[derive(Deserialize)]
struct Printed {
    tee: String,
    #[serde(rename = "type")]
    media_type: String,
    data: String,
    #[serde(default)]
    attachments: Vec<String>,
}

impl Attester for Program {
    fn name(&self) -> &'static str {
        "development"
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let wrong = |reason: &str| PlatformError::new("development", reason);
        let mut report_data = data.to_vec();
        report_data.resize(64, 0);
        let (program, arguments) = self.0.split_first().ok_or_else(|| wrong("no command"))?;
        let output = Command::new(program)
            .args(arguments)
            .arg(HEXLOWER.encode(&report_data))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| wrong(&error.to_string()))?;
        if !output.status.success() {
            return Err(wrong(&output.status.to_string()));
        }
        let printed: Printed =
            serde_json::from_slice(&output.stdout).map_err(|error| wrong(&error.to_string()))?;
        let octets = |text: &String| {
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| wrong("not base64url"))
        };
        Ok(Evidence {
            tee: printed.tee,
            media_type: printed.media_type,
            data: octets(&printed.data)?,
            attachments: printed.attachments.iter().map(octets).collect::<Result<_, _>>()?,
        })
    }
}

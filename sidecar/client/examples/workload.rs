//! A workload that holds a key as long as the host lets it: `cargo run --example workload -- URL CA KEY`.
//! Its evidence comes from Linux' configfs-tsm (SNP); `claviger-sidecar` knows more platforms.

use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use claviger_client::{
    Client, Evidence, Gathering, KeptKey, KeyState, Platform, PlatformError, Renewal, ReportData,
    Settings, Trust,
};

struct Tsm;

impl Platform for Tsm {
    fn name(&self) -> &'static str {
        "configfs-tsm"
    }

    fn evidence<'a>(&'a self, report_data: &'a ReportData) -> Gathering<'a> {
        Box::pin(async move {
            let folder = "/sys/kernel/config/tsm/report/workload";
            let report = fs::create_dir(folder)
                .and_then(|()| fs::write(format!("{folder}/inblob"), report_data.sha512()))
                .and_then(|()| fs::read(format!("{folder}/outblob")));
            let _ = fs::remove_dir(folder);
            let report = report.map_err(|error| PlatformError::new(self.name(), error))?;
            Ok(Evidence::new("snp", "application/vnd.amd.sev-snp-report", report))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [url, ca, key]: [String; 3] =
        env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "URL CA KEY")?;
    let client = Client::new(Settings::new(url, Trust::roots(fs::read(ca)?)), Arc::new(Tsm))?;
    let renewal = Renewal::of(Duration::from_secs(600));
    let mut kept = KeptKey::fetch(Arc::new(client), &key, renewal).await?;
    println!("version {}", kept.current().map_err(|end| end.to_string())?.version);
    loop {
        match kept.changed().await {
            KeyState::Held(key) => println!("renewed: version {}", key.version),
            KeyState::Ended(end) => return Err(end.to_string().into()),
        }
    }
}

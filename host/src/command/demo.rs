//! `demo`: a host, a simulated guest, a key released step by step; then three refusals.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args;
use data_encoding::HEXLOWER;

use super::development::Development;
use super::folder::Folder;
use super::guest::{Guest, hardware};
use super::out::out;
use super::serve;
use super::stopping::block_on;
use crate::client::{Client, ClientError, ClientSettings};
use crate::http::{Challenge, ChallengeRequest, NewKeyRequest, ReleaseRequest};
use crate::keys::{RecipientKind, RecipientPrivateKey};
use crate::plugin::LifePlan;
use crate::random::SystemRandomness;
use crate::simulated::report::POLICY_DEBUG;

/// The demonstration's key.
const KEY: &str = "database-key";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show the host's own log as well
    #[arg(long)]
    log: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.log {
        crate::telemetry::start(crate::telemetry::LogFormat::Text, true);
    }
    block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let random = SystemRandomness::default();
    let folder = Folder::new(&random)?;
    let token = serve::new_token(&random)?;
    out!("Claviger: a key for a confidential VM, on simulated AMD SEV-SNP hardware\n")?;
    let any = ([127, 0, 0, 1], 0).into();
    let development = Development {
        folder: folder.path().to_owned(),
        kept: true,
        token: Some(token.clone()),
        api: any,
        admin: any,
        authorities: Vec::new(),
        life: LifePlan::default(),
    };
    let host = serve::open(move || development.service()).await?;
    let authority = std::fs::read(folder.path().join("ca.pem"))?;
    let api = format!("https://{}", host.handle.api_address());
    let admin = format!("https://{}", host.handle.admin_address().context("no administration")?);
    out!("host      {api} (workloads), {admin} (administration), over TLS")?;

    let administrator = Client::new(ClientSettings::new(admin, authority.clone()).token(token))?;
    let key = administrator
        .create_key(&NewKeyRequest {
            name: KEY.to_owned(),
            kind: "oct-256".to_owned(),
            material: None,
            release_policy: "affirming".into(),
        })
        .await?;
    out!(
        "key       {} version {} made, kept sealed; released to affirmed guests only\n",
        key.name,
        key.version
    )?;

    let client = Client::new(ClientSettings::new(api, authority))?;
    let guest = Guest::new(&hardware(folder.path())?)?;
    release(&client, &guest).await?;

    out!("\nthree that are refused:")?;
    replayed(&client, &guest).await?;
    debugged(&client, &guest).await?;
    relayed(&client, &guest).await?;

    host.stop().await?;
    let log = crate::audit::verify(&folder.path().join("audit"), None)
        .map_err(|finding| anyhow::anyhow!("the audit log does not verify: {finding}"))?;
    out!("\naudit     {} records, Merkle root {}, verified", log.records, log.root)?;
    out!("done in {:.1} s", started.elapsed().as_secs_f64())?;
    Ok(ExitCode::SUCCESS)
}

async fn release(client: &Client, guest: &Guest) -> anyhow::Result<()> {
    let challenge = challenge(client).await?;
    out!("challenge nonce {}…, purpose {}", start(&challenge.nonce.0), challenge.purpose)?;
    let report_data = guest.report_data(&challenge)?;
    out!(
        "evidence  report data {}…: challenge, purpose and the guest's X25519 key",
        start(&report_data)
    )?;
    let ReleaseRequest::Evidence(request) = guest.answer(&challenge)? else {
        anyhow::bail!("a guest answers with evidence");
    };
    out!(
        "          report of {} bytes, signed by the chip's VCEK (ECDSA P-384), certificate along",
        request.evidence.data.0.len()
    )?;
    let asked = Instant::now();
    let release = client.release(KEY, &ReleaseRequest::Evidence(request)).await?;
    let took = asked.elapsed();
    out!(
        "verdict   {}{}",
        release.status,
        if release.simulated { " (SIMULATED hardware)" } else { "" }
    )?;
    out!(
        "released  {} wrapped as JWE, audit record {}, in {:.1} ms",
        release.media_type,
        release.audit_index,
        took.as_secs_f64() * 1e3
    )?;
    let key = guest.open(&release)?;
    ensure!(key.len() == 32, "the key has not 256 bits");
    out!("opened    by the guest: {}… ({} bytes)", start(key.expose()), key.len())?;
    Ok(())
}

/// The same challenge and evidence once more.
async fn replayed(client: &Client, guest: &Guest) -> anyhow::Result<()> {
    let answer = guest.answer(&challenge(client).await?)?;
    client.release(KEY, &answer).await?;
    refused("the same evidence again", client.release(KEY, &answer).await)
}

/// A guest whose memory the hypervisor may read.
async fn debugged(client: &Client, guest: &Guest) -> anyhow::Result<()> {
    let mut debugged = Guest::with(guest.hardware.clone(), RecipientKind::X25519)?;
    debugged.hardware.template.policy |= POLICY_DEBUG;
    let answer = debugged.answer(&challenge(client).await?)?;
    refused("a guest with debugging on", client.release(KEY, &answer).await)
}

/// Evidence of one guest, passed on by somebody who puts his own key in.
async fn relayed(client: &Client, guest: &Guest) -> anyhow::Result<()> {
    let challenge = challenge(client).await?;
    let ReleaseRequest::Evidence(mut answer) = guest.answer(&challenge)? else {
        anyhow::bail!("a guest answers with evidence");
    };
    let thief = RecipientPrivateKey::generate(RecipientKind::X25519)?;
    answer.recipient = thief.jwk().as_object().cloned().context("a JWK is an object")?;
    refused(
        "another's evidence, own key",
        client.release(KEY, &ReleaseRequest::Evidence(answer)).await,
    )
}

fn refused<T>(who: &str, outcome: Result<T, ClientError>) -> anyhow::Result<()> {
    match outcome {
        Err(ClientError::Problem(problem)) => {
            out!("  {who:<28} {} {}: {}", problem.status, problem.code, problem.title)
        }
        Err(error) => Err(error.into()),
        Ok(_) => anyhow::bail!("{who}: not refused"),
    }
}

async fn challenge(client: &Client) -> anyhow::Result<Challenge> {
    Ok(client.challenge(&ChallengeRequest::Release { key: KEY.to_owned() }).await?)
}

fn start(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes.get(..8).unwrap_or(bytes))
}

//! `reference measure`: what a launch will measure, as text, as JSON, or as a plain document that can
//! be signed or added.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::json;

use super::print;
use crate::command::files::read_bounded;
use crate::command::out::out;
use crate::reference::Plain;
use crate::reference::measure::pcr::{Bank, Register};
use crate::reference::measure::snp::{CpuType, Kernel, Launch, Vmm};
use crate::reference::measure::tdx;

/// The largest firmware, kernel or RAM disk, in bytes.
const LARGEST: u64 = 1 << 30;

#[derive(Debug, Subcommand)]
pub(in crate::command) enum Command {
    /// SEV-SNP: the launch measurement
    Snp(Snp),
    /// TDX: the MRTD of firmware that QEMU launches
    Tdx {
        /// The firmware (TDVF)
        #[arg(long)]
        firmware: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// A PCR, or an RTMR (a SHA-384 register), after events
    Pcr(Pcr),
}

#[derive(Debug, Args)]
pub(in crate::command) struct Snp {
    /// The firmware (OVMF)
    #[arg(long)]
    ovmf: PathBuf,
    /// How many processors
    #[arg(long)]
    vcpus: u32,
    /// Their kind, as QEMU names it: EPYC-v4, EPYC-Milan, EPYC-Genoa, EPYC-Turin
    #[arg(long, value_parser = cpu)]
    vcpu_type: CpuType,
    /// The kernel, where the firmware is given its hash
    #[arg(long)]
    kernel: Option<PathBuf>,
    /// The initial RAM disk
    #[arg(long, requires = "kernel")]
    initrd: Option<PathBuf>,
    /// The kernel's command line
    #[arg(long, requires = "kernel", default_value = "", hide_default_value = true)]
    append: String,
    /// Who launches
    #[arg(long, value_enum, default_value = "qemu")]
    vmm: Launcher,
    /// SEV_FEATURES of the processors: 0x1 is SNP alone, 0x21 with swapped debug registers
    #[arg(long, value_parser = number, default_value = "0x1")]
    guest_features: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Launcher {
    /// Amazon EC2
    Ec2,
    /// QEMU with KVM
    Qemu,
}

#[derive(Debug, Args)]
pub(in crate::command) struct Pcr {
    /// The bank
    #[arg(long, value_enum, default_value = "sha256")]
    bank: BankName,
    /// A digest to extend, in hexadecimal; may be given many times, in order
    #[arg(long)]
    digest: Vec<String>,
    /// A file with a digest in each line; # begins a comment. Extended behind those of --digest
    #[arg(long)]
    digests: Option<PathBuf>,
    /// A file whose digest is extended; may be given many times, behind all digests
    #[arg(long)]
    data: Vec<PathBuf>,
    /// Which claim it is the value of, for --plain: tdx.rtmr1
    #[arg(long, requires = "plain")]
    claim: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BankName {
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
}

#[derive(Debug, Args)]
pub(in crate::command) struct Output {
    /// Print JSON
    #[arg(long, conflicts_with = "plain")]
    json: bool,
    /// Print a plain document of this name, to be signed or added
    #[arg(long, value_name = "NAME")]
    plain: Option<String>,
}

pub(in crate::command) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Snp(snp) => {
            let measurement = snp.measurement()?;
            snp.output.print(Some(("snp", "measurement")), "measurement", &measurement)
        }
        Command::Tdx { firmware, output } => {
            let mrtd = tdx::mrtd(&read_bounded(&firmware, LARGEST)?)?;
            output.print(Some(("tdx", "mrtd")), "mrtd", &mrtd)
        }
        Command::Pcr(pcr) => {
            let value = pcr.value()?;
            let claim = pcr.claim.as_deref().map(|claim| {
                claim.split_once('.').with_context(|| format!("{claim:?} is no claim: tdx.rtmr1"))
            });
            let claim = claim.transpose()?;
            pcr.output.print(claim, "value", &value)
        }
    }
}

impl Snp {
    fn measurement(&self) -> anyhow::Result<[u8; 48]> {
        let read = |path: &Path| read_bounded(path, LARGEST);
        let firmware = read(&self.ovmf)?;
        let kernel = self.kernel.as_deref().map(read).transpose()?;
        let initrd = self.initrd.as_deref().map(read).transpose()?.unwrap_or_default();
        let kernel = kernel.as_ref().map(|image| Kernel {
            image,
            initrd: &initrd,
            command_line: &self.append,
        });
        let launch = Launch {
            firmware: &firmware,
            vcpus: self.vcpus,
            vcpu: self.vcpu_type,
            vmm: match self.vmm {
                Launcher::Ec2 => Vmm::Ec2,
                Launcher::Qemu => Vmm::Qemu,
            },
            features: self.guest_features,
            kernel,
        };
        launch.measurement().with_context(|| self.ovmf.display().to_string())
    }
}

impl Pcr {
    fn value(&self) -> anyhow::Result<Vec<u8>> {
        let bank = match self.bank {
            BankName::Sha1 => Bank::Sha1,
            BankName::Sha256 => Bank::Sha256,
            BankName::Sha384 => Bank::Sha384,
        };
        let mut register = Register::new(bank);
        let listed = match &self.digests {
            Some(path) => String::from_utf8(read_bounded(path, 16 << 20)?)
                .with_context(|| path.display().to_string())?,
            None => String::new(),
        };
        let lines = listed.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let listed = lines.filter(|line| !line.is_empty());
        for text in self.digest.iter().map(String::as_str).chain(listed) {
            let digest = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
            let digest = digest.with_context(|| format!("{text:?} is no hexadecimal"))?;
            register.extend(&digest).with_context(|| format!("bank {}: {text}", bank.name()))?;
        }
        for path in &self.data {
            register.extend(&bank.digest(&read_bounded(path, LARGEST)?))?;
        }
        Ok(register.value().to_vec())
    }
}

impl Output {
    fn print(&self, claim: Option<(&str, &str)>, name: &str, value: &[u8]) -> anyhow::Result<()> {
        let hex = HEXLOWER.encode(value);
        match &self.plain {
            Some(document) => {
                let (tee, claim) = claim.context("--plain needs to be told the --claim")?;
                ensure!(!document.is_empty(), "a document needs a name");
                print(&Plain::of(document, tee, [(claim.to_owned(), hex.into())].into()))
            }
            None if self.json => print(&json!({ name: hex })),
            None => out!("{hex}"),
        }
    }
}

fn cpu(text: &str) -> Result<CpuType, &'static str> {
    CpuType::named(text).ok_or("a model of QEMU: EPYC-v4, EPYC-Rome, EPYC-Milan, EPYC-Genoa-v1, …")
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

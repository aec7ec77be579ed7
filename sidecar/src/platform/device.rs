//! Requests to Linux' guest devices. The only module with unsafe code: each request hands the kernel
//! the addresses of buffers that live, and are as long as the request says, until the call returns.

#![allow(unsafe_code, reason = "ioctl has no safe form; see each SAFETY comment")]

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl};

/// `SNP_GET_REPORT` and `SNP_GET_EXT_REPORT` (linux/sev-guest.h): `_IOWR('S', 0 and 2, 32 bytes)`.
const SNP_GET_REPORT: Opcode = 0xc020_5300;
const SNP_GET_EXT_REPORT: Opcode = 0xc020_5302;
/// `NSM_IOCTL_RAW` (linux/nsm.h): `_IOWR(0x0a, 0, 32 bytes)`.
const NSM_REQUEST: Opcode = 0xc020_0a00;

/// Bytes of `MSG_REPORT_RSP` in the kernel's buffer.
const SNP_RESPONSE: usize = 4000;
/// Bytes for the certificate table; a multiple of a page, as the kernel wants it.
const SNP_CERTIFICATES: usize = 16 * 4096;
/// Bytes of the largest answer of a Nitro Security Module.
const NSM_RESPONSE: usize = 0x3000;

#[repr(C)]
struct SnpGuestRequest {
    msg_version: u8,
    req_data: u64,
    resp_data: u64,
    exitinfo2: u64,
}

#[repr(C)]
struct SnpReportRequest {
    user_data: [u8; 64],
    vmpl: u32,
    reserved: [u8; 28],
}

#[repr(C)]
struct SnpExtendedRequest {
    report: SnpReportRequest,
    certs_address: u64,
    certs_len: u32,
}

#[repr(C)]
struct NsmMessage {
    request: u64,
    request_len: u64,
    response: u64,
    response_len: u64,
}

/// Opens a device for requests.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// `MSG_REPORT_RSP` as `/dev/sev-guest` answers, and the certificate table; the table is empty where
/// the hypervisor has none.
pub(super) fn snp_report(device: &File, user_data: [u8; 64]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut response = vec![0_u8; SNP_RESPONSE];
    let mut certificates = vec![0_u8; SNP_CERTIFICATES];
    let plain = SnpReportRequest { user_data, vmpl: 0, reserved: [0; 28] };
    let mut extended = SnpExtendedRequest {
        report: SnpReportRequest { user_data, vmpl: 0, reserved: [0; 28] },
        certs_address: certificates.as_mut_ptr() as u64,
        certs_len: u32::try_from(SNP_CERTIFICATES).unwrap_or_default(),
    };
    let mut request = SnpGuestRequest {
        msg_version: 1,
        req_data: (&raw mut extended) as u64,
        resp_data: response.as_mut_ptr() as u64,
        exitinfo2: 0,
    };
    // SAFETY: the opcode is that of this structure; `extended`, `response` and `certificates` outlive
    // the call and are as long as the kernel's structures and `certs_len` say.
    let asked = unsafe { ioctl(device, Updater::<SNP_GET_EXT_REPORT, _>::new(&mut request)) };
    if asked.is_ok() {
        return Ok((response, certificates));
    }
    request.req_data = (&raw const plain) as u64;
    request.exitinfo2 = 0;
    // SAFETY: as above; `plain` is a report request and outlives the call.
    unsafe { ioctl(device, Updater::<SNP_GET_REPORT, _>::new(&mut request)) }?;
    Ok((response, Vec::new()))
}

/// A CBOR request to `/dev/nsm`, and its answer.
pub(super) fn nsm(device: &File, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut response = vec![0_u8; NSM_RESPONSE];
    let mut message = NsmMessage {
        request: request.as_ptr() as u64,
        request_len: request.len() as u64,
        response: response.as_mut_ptr() as u64,
        response_len: response.len() as u64,
    };
    // SAFETY: the opcode is that of this structure; both buffers outlive the call, have the lengths
    // that it names, and the kernel only reads the request.
    unsafe { ioctl(device, Updater::<NSM_REQUEST, _>::new(&mut message)) }?;
    response.truncate(usize::try_from(message.response_len).unwrap_or_default());
    Ok(response)
}

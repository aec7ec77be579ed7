//! What Intel certifies in a PCK certificate: which platform, at which TCB.
//!
//! Source: Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5: the extension
//! 1.2.840.113741.1.13.1.

use super::super::der::{self, NotDer, Reader, tag};
use super::super::fault::Fault;
use super::super::key::Kind;
use super::super::x509::Certificate;

/// 1.2.840.113741.1.13.1
pub(crate) const SGX: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];

/// The names of the authorities that issue PCK certificates.
const AUTHORITIES: [&str; 2] = ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"];
const LEAF: &str = "Intel SGX PCK Certificate";

/// What a PCK certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pck {
    /// PPID: the processor.
    pub(crate) ppid: [u8; 16],
    /// The SVNs of the TCB's components, in the order in which TCB info has them.
    pub(crate) components: [u8; 16],
    pub(crate) pce_svn: u16,
    pub(crate) pce_id: [u8; 2],
    /// FMSPC: family, model, stepping, platform and custom SKU.
    pub(crate) fmspc: [u8; 6],
    /// Of a platform with several packages.
    pub(crate) platform_instance_id: Option<[u8; 16]>,
}

impl Pck {
    /// Reads a PCK certificate. That its issuer is one for PCK certificates is checked, and not who
    /// signed.
    pub(crate) fn read(leaf: &Certificate, issuer: &Certificate) -> Result<Self, Fault> {
        let named = issuer.subject.common_name().is_some_and(|name| AUTHORITIES.contains(&name));
        if !named || leaf.subject.common_name() != Some(LEAF) {
            return Err(Fault::Untrusted(format!(
                "{}, issued by {}, is no PCK certificate",
                leaf.subject, issuer.subject
            )));
        }
        if leaf.key.kind() != Kind::P256 {
            return Err(Fault::unsupported("a PCK that is not on P-256"));
        }
        let value = leaf
            .extensions
            .get(SGX)
            .ok_or_else(|| Fault::malformed("a PCK certificate without Intel's extension"))?;
        Self::fields(value).map_err(|bad| bad.within("PCK certificate extension"))
    }

    fn fields(value: &[u8]) -> der::Result<Self> {
        const MISSING: NotDer = NotDer("a field is missing");
        let (mut ppid, mut tcb, mut pce_id, mut fmspc, mut instance) =
            (None, None, None, None, None);
        each(Reader::whole(value, tag::SEQUENCE)?, |arcs, field| {
            match arcs {
                [1] => once(&mut ppid, octets(field)?)?,
                [2] => once(&mut tcb, self::tcb(field.raw)?)?,
                [3] => once(&mut pce_id, octets(field)?)?,
                [4] => once(&mut fmspc, octets(field)?)?,
                [6] => once(&mut instance, octets(field)?)?,
                _ => {}
            }
            Ok(())
        })?;
        let (components, pce_svn) = tcb.ok_or(MISSING)?;
        Ok(Self {
            ppid: ppid.ok_or(MISSING)?,
            components,
            pce_svn,
            pce_id: pce_id.ok_or(MISSING)?,
            fmspc: fmspc.ok_or(MISSING)?,
            platform_instance_id: instance,
        })
    }
}

/// Components 1 to 16 and PCESVN (arc 17); arc 18, the raw CPUSVN, says the same.
fn tcb(value: &[u8]) -> der::Result<([u8; 16], u16)> {
    let mut components = [None; 16];
    let mut pce_svn = None;
    each(Reader::whole(value, tag::SEQUENCE)?, |arcs, field| {
        let [2, arc] = *arcs else { return Ok(()) };
        match (arc, components.get_mut(usize::from(arc).wrapping_sub(1))) {
            (_, Some(component)) => {
                let svn =
                    u8::try_from(integer(field)?).map_err(|_| NotDer("an SVN of this size"))?;
                once(component, svn)
            }
            (17, None) => {
                let svn =
                    u16::try_from(integer(field)?).map_err(|_| NotDer("a PCESVN of this size"))?;
                once(&mut pce_svn, svn)
            }
            _ => Ok(()),
        }
    })?;
    let mut found = [0; 16];
    for (to, from) in found.iter_mut().zip(components) {
        *to = from.ok_or(NotDer("a TCB component is missing"))?;
    }
    Ok((found, pce_svn.ok_or(NotDer("PCESVN is missing"))?))
}

/// `SEQUENCE { OID, value }` one after the other; the arcs behind Intel's own are handed on.
fn each<'a>(
    mut list: Reader<'a>,
    mut take: impl FnMut(&[u8], der::Element<'a>) -> der::Result<()>,
) -> der::Result<()> {
    while !list.is_empty() {
        let mut pair = list.nested(tag::SEQUENCE)?;
        let oid = pair.expect(tag::OID)?.content;
        let value = pair.any()?;
        pair.finish()?;
        take(oid.strip_prefix(SGX).unwrap_or_default(), value)?;
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, value: T) -> der::Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NotDer("a field stands twice")),
    }
}

fn octets<const N: usize>(field: der::Element<'_>) -> der::Result<[u8; N]> {
    let octets = Some(field).filter(|field| field.tag == tag::OCTET_STRING);
    let sized = octets.and_then(|field| field.content.try_into().ok());
    sized.ok_or(NotDer("a field of another type or length"))
}

fn integer(field: der::Element<'_>) -> der::Result<u64> {
    match field.tag {
        tag::INTEGER => der::small(field.content),
        _ => Err(NotDer("a field of another type")),
    }
}

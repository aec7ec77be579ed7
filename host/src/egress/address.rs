//! Addresses that a public service does not have. Who can choose what a name resolves to must not
//! thereby reach this machine, its network or a cloud's metadata service.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses that the operator granted: `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether the address lies in it. What is IPv4 written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                same(first.to_bits().into(), address.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                same(first.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }

    /// Whether it is this one address.
    fn is_only(&self, address: IpAddr) -> bool {
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        self.bits == width && self.contains(address)
    }
}

fn same(one: u128, other: u128, width: u32, bits: u8) -> bool {
    let behind = width.saturating_sub(bits.into());
    one.checked_shr(behind).unwrap_or(0) == other.checked_shr(behind).unwrap_or(0)
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither an address nor a range (10.0.0.0/8)");
        let (first, bits) = match text.split_once('/') {
            None => (text, None),
            Some((first, bits)) => (first, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        };
        let first: IpAddr = first.parse().map_err(|_| wrong())?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(wrong());
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// Why the address may not be reached; none where it may: it is public, or granted. A metadata
/// service is reached only where its very address is granted, and not a range around it.
pub(super) fn refused(address: IpAddr, granted: &[AddressRange]) -> Option<&'static str> {
    let reason = reserved(address)?;
    let covered = match reason {
        METADATA => granted.iter().any(|range| range.is_only(address)),
        _ => granted.iter().any(|range| range.contains(address)),
    };
    (!covered).then_some(reason)
}

const METADATA: &str = "a metadata service";

/// The services that give a cloud's machines their credentials: AWS, Azure, GCP (link-local), AWS
/// (IPv6), Azure's wire server, Alibaba, Oracle.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// What the address is, where it is none of a public service (the IANA special-purpose registries,
/// RFC 6890). An IPv4 address inside an IPv6 one is looked at as well.
#[must_use]
pub fn reserved(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    if METADATA_V4.contains(&address) {
        return Some(METADATA);
    }
    match address.octets() {
        [0, ..] => Some("this network (0.0.0.0/8)"),
        [127, ..] => Some("loopback"),
        [169, 254, ..] => Some("link-local"),
        [10, ..] | [192, 168, ..] => Some("private"),
        [172, second, ..] if second & 0xf0 == 16 => Some("private"),
        [100, second, ..] if second & 0xc0 == 64 => Some("shared (carrier-grade NAT)"),
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => {
            Some("reserved")
        }
        [198, 18 | 19, ..] => Some("for benchmarks"),
        [224..=239, ..] => Some("multicast"),
        [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    if METADATA_V6.contains(&address) {
        return Some(METADATA);
    }
    let embedded = |high: u16, low: u16| {
        let bits = u32::from(high) << 16 | u32::from(low);
        Ipv4Addr::from_bits(bits)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // IPv4-compatible (RFC 4291, section 2.5.5.1), long deprecated.
        [0, 0, 0, 0, 0, 0, ..] => Some("IPv4-compatible"),
        // NAT64 (RFC 6052): what stands behind the translator counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => reserved_v4(embedded(high, low)),
        [0x64, 0xff9b, ..] => Some("local NAT64"),
        [0x2002, high, low, ..] => reserved_v4(embedded(high, low)).or(Some("6to4")),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some("private"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("link-local"),
        [first, ..] if first & 0xff00 == 0xff00 => Some("multicast"),
        // Teredo (2001::/32) among them.
        [0x2001, second, ..] if second < 0x200 => Some("reserved"),
        [0x2001, 0xdb8, ..] => Some("for documentation"),
        [0x3fff, second, ..] if second < 0x1000 => Some("for documentation"),
        [first, ..] if first & 0xe000 == 0x2000 => None,
        _ => Some("not a global address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    // attack 42
    #[test]
    fn an_address_of_no_public_service_is_refused_in_every_spelling() {
        for text in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "169.254.169.254",
            "168.63.129.16",
            "100.100.100.200",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(refused(address(text), &[]).is_some(), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert_eq!(refused(address(text), &[]), None, "{text}");
        }
    }

    // attack 42
    #[test]
    fn a_range_is_granted_and_a_metadata_service_only_by_its_very_address() {
        let granted = |ranges: &[&str], text: &str| {
            let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
            refused(address(text), &ranges).is_none()
        };
        assert!(granted(&["10.0.0.0/8"], "10.9.8.7"));
        assert!(granted(&["10.0.0.0/8"], "::ffff:10.9.8.7"));
        assert!(!granted(&["10.0.0.0/8"], "192.168.0.1"));
        assert!(!granted(&["10.0.0.0/8"], "127.0.0.1"));
        assert!(granted(&["fd00::/8"], "fd12::1"));
        assert!(!granted(&["169.254.0.0/16", "0.0.0.0/0"], "169.254.169.254"));
        assert!(granted(&["169.254.169.254"], "169.254.169.254"));
        assert!(granted(&["fd00:ec2::254/128"], "fd00:ec2::254"));
        assert!(!granted(&["fd00::/8"], "fd00:ec2::254"));
        for text in ["10.0.0.0/33", "10.0.0/8", "::1/129", "localhost", "10.0.0.0/", ""] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }
}

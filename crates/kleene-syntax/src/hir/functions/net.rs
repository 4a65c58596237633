//! Addresses and places.

use std::net::IpAddr;

use super::function::{DEFAULTS, Function};
use crate::hir::expr::in_network;
use kleene_event::value::{Kind, Value, ValueRef};

/// Reads `10.0.0.0/8` or a single address.
pub(crate) fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.trim().parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) if prefix.bytes().all(|b| b.is_ascii_digit()) => prefix.parse().ok()?,
        Some(_) => return None,
        None => longest,
    };
    (prefix <= longest).then_some((address, prefix))
}

/// The mean radius of the earth.
const EARTH_KM: f64 = 6371.0088;

pub(super) const DISTANCE_KM: Function = Function {
    name: "distance_km",
    params: &[
        ("lat1", Kind::NUMBER),
        ("lon1", Kind::NUMBER),
        ("lat2", Kind::NUMBER),
        ("lon2", Kind::NUMBER),
    ],
    required: 4,
    result: Kind::FLOAT,
    about: "The distance between two places on the globe, in kilometres; latitude and longitude \
            in degrees.",
    examples: &[
        ("round(distance_km(52.52, 13.405, 48.8566, 2.3522))", "877"),
        ("distance_km(1, 2, 1, 2)", "0.0"),
    ],
    call: |args| {
        let numbers: Option<Vec<f64>> =
            args.iter().map(|arg| arg.as_f64().map(f64::to_radians)).collect();
        let Some([lat1, lon1, lat2, lon2]) = numbers.as_deref() else { return Value::Null };
        let half = |a: &f64, b: &f64| ((b - a) / 2.0).sin().powi(2);
        let h = half(lat1, lat2) + lat1.cos() * lat2.cos() * half(lon1, lon2);
        let km = 2.0 * EARTH_KM * h.clamp(0.0, 1.0).sqrt().asin();
        if km.is_finite() { Value::Float(km) } else { Value::Null }
    },
    ..DEFAULTS
};

pub(super) const CIDR: Function = Function {
    name: "cidr",
    params: &[("address", Kind::IP.or(Kind::STRING)), ("network", Kind::STRING)],
    required: 2,
    result: Kind::BOOL,
    about: "True if the address is in the network, which is written as `10.0.0.0/8`.",
    examples: &[
        ("cidr(\"10.1.2.3\", \"10.0.0.0/8\")", "true"),
        ("cidr(\"11.1.2.3\", \"10.0.0.0/8\")", "false"),
        ("cidr(\"fe80::1\", \"fe80::/10\")", "true"),
        ("cidr(\"nowhere\", \"10.0.0.0/8\")", "null"),
    ],
    call: |args| {
        let (address, network) = match args {
            [ValueRef::Ip(address), ValueRef::String(network)] => (Some(*address), network),
            [ValueRef::String(address), ValueRef::String(network)] => {
                (address.parse().ok(), network)
            }
            _ => return Value::Null,
        };
        match (address, parse_network(network)) {
            (Some(address), Some((network, prefix))) => {
                Value::Bool(in_network(address, network, prefix))
            }
            _ => Value::Null,
        }
    },
    ..DEFAULTS
};

//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

/// The address that the request comes from: of the last proxy's peer where a proxy on this machine forwards it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    /// The address as far as its holder cannot change it: of IPv6, the network that a line is given.
    pub fn network(self) -> Option<IpAddr> {
        self.0.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
            }
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip());
        let forwarded = || {
            let line = parts
                .headers
                .get_all("x-forwarded-for")
                .iter()
                .next_back()?;
            line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        Ok(Self(match peer {
            Some(address) if address.is_loopback() => forwarded().or(peer),
            _ => peer,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6177: a site is given a /64 at least.
    #[test]
    fn a_line_of_ipv6_is_one_network() {
        let network = |address: &str| {
            let network = Peer(Some(address.parse().expect("an address"))).network();
            network.expect("known").to_string()
        };
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}

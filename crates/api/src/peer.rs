//! Where a request comes from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use referee_storage::audit;

use crate::app::App;

/// The address that the request comes from: behind proxies that are trusted, the one that they name.
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

impl FromRequestParts<App> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let proxies = &app.config.trusted_proxies;
        Ok(Self(connected.map(|connected| {
            proxies.client(connected.0.ip(), &parts.headers)
        })))
    }
}

/// Has what the request changes written down with the address that it comes from; [`crate::auth`] adds who sends it.
pub async fn note_for_audit(peer: Peer, request: Request, next: Next) -> Response {
    audit::acting(peer.0.map(|address| address.to_string()), next.run(request)).await
}

/// The proxies whose `X-Forwarded-For` is believed: those on this machine, and the networks that the operator names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// What the operator names is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address or network of proxies; write one such as 192.0.2.7 or 10.0.0.0/8, or several with commas between them"
)]
pub struct NoNetwork(String);

/// Addresses, and networks in CIDR notation, with commas between them.
impl FromStr for TrustedProxies {
    type Err = NoNetwork;

    fn from_str(list: &str) -> Result<Self, NoNetwork> {
        list.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| network(name).ok_or_else(|| NoNetwork(name.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn network(name: &str) -> Option<IpNet> {
    let address = || {
        name.parse()
            .ok()
            .map(|address: IpAddr| address.to_canonical().into())
    };
    name.parse().ok().or_else(address)
}

impl TrustedProxies {
    /// Who sent a request that `connected` delivered. Each proxy adds to the header, on the right, whom it got the request
    /// from; what is left of the first that is not trusted could be anybody's invention.
    fn client(&self, connected: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let forwarded = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = connected.to_canonical();
        for sender in forwarded {
            if !self.trusts(client) {
                break;
            }
            let Some(sender) = address(sender.trim()) else {
                break;
            };
            client = sender;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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

    /// The addresses of RFC 5737 and RFC 3849 are nobody's.
    #[test]
    fn a_header_is_believed_as_far_as_trusted_proxies_wrote_it() {
        let proxies: TrustedProxies = "172.18.0.0/16, 2001:db8::7".parse().expect("networks");
        for (connected, forwarded, client) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("172.18.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:172.18.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("2001:db8::7", &["2001:db8:1::1"], "2001:db8:1::1"),
            ("2001:db8::8", &["2001:db8:1::1"], "2001:db8::8"),
            ("172.18.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (
                "172.18.0.1",
                &["203.0.113.9", "198.51.100.1"],
                "198.51.100.1",
            ),
            (
                "127.0.0.1",
                &["203.0.113.9, 198.51.100.1, 172.18.0.5"],
                "198.51.100.1",
            ),
            ("172.18.0.1", &["172.18.0.9, 127.0.0.1"], "172.18.0.9"),
            ("172.18.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("172.18.0.1", &["[2001:db8:1::1]:4711"], "2001:db8:1::1"),
            ("172.18.0.1", &["198.51.100.1, unknown"], "172.18.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            let address = connected.parse().expect("an address");
            let found = proxies.client(address, &headers).to_string();
            assert_eq!(found, client, "{connected}, {forwarded:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        for (list, fault) in [
            ("proxy.example", "proxy.example"),
            ("10.0.0.0/8, 10.0.0.0/33", "10.0.0.0/33"),
            ("10.0.0.0/8 192.0.2.7", "10.0.0.0/8 192.0.2.7"),
        ] {
            let error = NoNetwork(fault.to_owned());
            assert_eq!(list.parse::<TrustedProxies>(), Err(error));
        }
    }
}

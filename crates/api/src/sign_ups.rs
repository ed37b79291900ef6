//! How many accounts one address opens.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::peer::Peer;
use crate::problem::Problem;

const WINDOW: Duration = Duration::from_hours(1);

/// The accounts opened within the last hour, by network. Of this process: several allow as many times more.
pub struct SignUps {
    per_hour: usize,
    opened: Mutex<HashMap<Option<IpAddr>, Vec<Instant>>>,
}

/// An account on its way, which counts unless it is dropped before it is [`Self::done`].
pub struct Opening<'a> {
    sign_ups: &'a SignUps,
    network: Option<IpAddr>,
    at: Instant,
    counts: bool,
}

impl SignUps {
    pub fn new(per_hour: u32) -> Self {
        Self {
            per_hour: per_hour as usize,
            opened: Mutex::default(),
        }
    }

    /// # Errors
    /// 429 where the address has opened as many as it may.
    pub fn begin(&self, peer: Peer) -> Result<Opening<'_>, Problem> {
        let (network, at) = (peer.network(), Instant::now());
        let mut opened = self.opened();
        opened.retain(|_, times| {
            times.retain(|time| time.elapsed() < WINDOW);
            !times.is_empty()
        });
        let times = opened.entry(network).or_default();
        if let Some(first) = times.first().filter(|_| times.len() >= self.per_hour) {
            let seconds = WINDOW.saturating_sub(first.elapsed()).as_secs();
            let minutes = seconds.div_ceil(60).max(1);
            return Err(Problem::too_many(
                seconds + 1,
                format!(
                    "{} accounts were opened from this address within an hour, the most without an invitation; try again in {minutes} min, or ask the operator for an invitation",
                    self.per_hour
                ),
            ));
        }
        times.push(at);
        Ok(Opening {
            sign_ups: self,
            network,
            at,
            counts: false,
        })
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Vec<Instant>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening<'_> {
    pub fn done(mut self) {
        self.counts = true;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.counts
            && let Some(times) = self.sign_ups.opened().get_mut(&self.network)
            && let Some(place) = times.iter().position(|time| *time == self.at)
        {
            times.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Peer {
        Peer(Some(address.parse().expect("an address")))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_opens_so_many_in_an_hour() {
        let sign_ups = SignUps::new(2);
        for _ in 0..2 {
            sign_ups.begin(at("2001:db8::1")).expect("allowed").done();
        }
        // Not opened in the end.
        drop(sign_ups.begin(at("192.0.2.1")).expect("allowed"));
        for _ in 0..2 {
            sign_ups.begin(at("192.0.2.1")).expect("allowed").done();
        }
        for full in ["2001:db8::2", "192.0.2.1"] {
            let refused = sign_ups.begin(at(full)).err().expect("too many");
            assert!(refused.detail().contains("in 60 min"), "{refused:?}");
        }
        sign_ups
            .begin(at("2001:db8:0:1::1"))
            .expect("another line")
            .done();
        tokio::time::advance(WINDOW).await;
        sign_ups
            .begin(at("192.0.2.1"))
            .expect("allowed again")
            .done();
        assert_eq!(sign_ups.opened().len(), 1);
    }
}

//! The upload slots, and who gets one when there are not enough: whoever holds fewest, at the cost of whoever holds most or
//! sends slowest.
//!
//! A slot is cheap for its holder and dear to everybody else: at the least pace, a handful of people could hold all of them. So
//! people wait for a slot for a while, those who hold fewer before those who hold more; and while somebody waits, the least pace
//! doubles every second, and a slot is taken back from the slowest upload below it, or of the account that holds the most.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::SignedIn;
use crate::pace::{LEAST_PER_SECOND, Pace};
use crate::peer::Peer;
use crate::problem::Problem;

/// Uploads that one account may have under way.
const MOST_EACH: usize = 8;
/// Of all slots one in eight is the organizers'.
const ORGANIZERS_SHARE: usize = 8;
/// So many may wait: each is a connection and a head.
const MOST_WAITING: usize = 512;
/// As long somebody waits for a slot.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before a slot is taken back for somebody.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Before that is done although all are fast enough.
const FAIR_WAIT: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(250);
/// The pace of a sender is known after so much waiting for it.
const MEASURE: Duration = Duration::from_secs(2);
/// However long somebody waits, nobody has to send more than 2^6 times the least.
const MOST_DOUBLINGS: u64 = 6;
/// What a form of any size may take, besides what its bytes take at the least pace.
const ANY_FORM: Duration = Duration::from_mins(2);

/// Who asks for a slot.
#[derive(Clone, Copy, Debug)]
pub struct Uploader {
    pub account: Uuid,
    /// The network that the request comes from.
    pub network: Option<IpAddr>,
    /// Whether what is uploaded is a challenge's, or a submission of its organizer.
    pub organizes: bool,
}

impl Uploader {
    /// Somebody who uploads what a challenge consists of.
    pub fn organizer(user: &SignedIn, peer: Peer) -> Self {
        Self {
            account: user.0.id,
            network: peer.network(),
            organizes: true,
        }
    }
}

/// All slots of the process.
#[derive(Clone)]
pub struct UploadSlots(Arc<Mutex<State>>);

struct State {
    slots: usize,
    next: u64,
    held: HashMap<u64, Held>,
    /// Slots by who holds them, and by where; nobody is in them with none.
    by_account: HashMap<Uuid, usize>,
    by_network: HashMap<Option<IpAddr>, usize>,
    waiting: Vec<Waiting>,
    /// When somebody who waits has looked for room last: one of them does for all.
    looked: Instant,
}

struct Held {
    who: Uploader,
    meter: Meter,
    taken_back: CancellationToken,
}

struct Waiting {
    id: u64,
    who: Uploader,
    since: Instant,
    granted: oneshot::Sender<CancellationToken>,
}

/// How fast a sender sends while it is waited for; the server's own time does not count.
#[derive(Default)]
struct Meter {
    bytes: u64,
    waited: Duration,
    waits_since: Option<Instant>,
    /// Bytes a second; unknown at first.
    pace: Option<f64>,
}

impl Meter {
    fn pace(&mut self, now: Instant) -> Option<f64> {
        let waits = self.waits_since.map_or(Duration::ZERO, |since| now - since);
        let waited = self.waited + waits;
        if waited >= MEASURE {
            #[expect(clippy::cast_precision_loss, reason = "a number of bytes, to compare")]
            let bytes = self.bytes as f64;
            self.pace = Some(bytes / waited.as_secs_f64());
            *self = Self {
                waits_since: self.waits_since.map(|_| now),
                pace: self.pace,
                ..Self::default()
            };
        }
        self.pace
    }
}

/// A place among the uploads under way, given back when it is dropped, or taken back.
pub struct UploadSlot {
    slots: UploadSlots,
    id: u64,
    taken_back: CancellationToken,
    pace: Pace,
    /// When even the slowest sender is done.
    until: Option<Instant>,
}

/// Why an upload may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    TooSlow,
    TooLong,
    TakenBack,
}

impl UploadSlots {
    pub fn new(slots: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            slots,
            next: 0,
            held: HashMap::new(),
            by_account: HashMap::new(),
            by_network: HashMap::new(),
            waiting: Vec::new(),
            looked: Instant::now(),
        })))
    }

    /// A slot, as soon as there is one. `bytes` of the form, where they are announced, say how long it may take at most.
    ///
    /// # Errors
    /// 503 with `Retry-After` where none became free in time.
    pub async fn take(&self, who: Uploader, bytes: Option<u64>) -> Result<UploadSlot, Problem> {
        let (granted, mut grant) = oneshot::channel();
        let begun = Instant::now();
        let mut slot = {
            let mut state = self.state();
            if state.waiting.len() >= MOST_WAITING || state.waits(who.account) >= MOST_EACH {
                return Err(all_taken());
            }
            let id = state.next;
            state.next += 1;
            state.waiting.push(Waiting {
                id,
                who,
                since: begun,
                granted,
            });
            state.settle();
            UploadSlot {
                slots: self.clone(),
                id,
                taken_back: CancellationToken::new(),
                pace: Pace::default(),
                until: bytes.and_then(|bytes| {
                    let sending = Duration::from_secs(bytes / LEAST_PER_SECOND);
                    Instant::now().checked_add(ANY_FORM + sending)
                }),
            }
        };
        loop {
            tokio::select! {
                biased;
                Ok(taken_back) = &mut grant => {
                    slot.taken_back = taken_back;
                    return Ok(slot);
                }
                () = sleep(LOOK) => {}
            }
            if begun.elapsed() >= PATIENCE {
                return Err(self.state().refusal(who));
            }
            self.state().make_room(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, account: Uuid) -> usize {
        self.by_account.get(&account).copied().unwrap_or(0)
    }

    fn holds_at(&self, network: Option<IpAddr>) -> usize {
        self.by_network.get(&network).copied().unwrap_or(0)
    }

    fn hold(&mut self, id: u64, held: Held) {
        *self.by_account.entry(held.who.account).or_default() += 1;
        *self.by_network.entry(held.who.network).or_default() += 1;
        self.held.insert(id, held);
    }

    fn free(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        less(&mut self.by_account, &held.who.account);
        less(&mut self.by_network, &held.who.network);
        Some(held)
    }

    fn waits(&self, account: Uuid) -> usize {
        let waiting = self.waiting.iter();
        waiting
            .filter(|waiting| waiting.who.account == account)
            .count()
    }

    fn has_room_for(&self, who: Uploader) -> bool {
        let reserve = if who.organizes {
            0
        } else {
            self.slots / ORGANIZERS_SHARE
        };
        self.held.len() + reserve < self.slots
    }

    /// Of those who may have another slot, the one who holds fewest; of equals the one at the network that does, then the first.
    fn first_in_line(&self) -> Option<usize> {
        (0..self.waiting.len())
            .filter(|&place| self.holds(self.waiting[place].who.account) < MOST_EACH)
            .min_by_key(|&place| {
                let Waiting { who, since, .. } = &self.waiting[place];
                (
                    !who.organizes,
                    self.holds(who.account),
                    self.holds_at(who.network),
                    *since,
                )
            })
    }

    /// Gives free slots to those who wait.
    fn settle(&mut self) {
        while let Some(place) = self.first_in_line() {
            if !self.has_room_for(self.waiting[place].who) {
                return;
            }
            let Waiting {
                id, who, granted, ..
            } = self.waiting.swap_remove(place);
            let taken_back = CancellationToken::new();
            self.hold(
                id,
                Held {
                    who,
                    meter: Meter::default(),
                    taken_back: taken_back.clone(),
                },
            );
            if granted.send(taken_back).is_err() {
                self.free(id);
            }
        }
    }

    /// Takes slots back for those who are first in line and have waited long enough.
    fn make_room(&mut self, now: Instant) {
        if now - self.looked < LOOK / 2 {
            return;
        }
        self.looked = now;
        self.settle();
        while let Some(waiting) = self.first_in_line().map(|place| &self.waiting[place]) {
            let (who, waited) = (waiting.who, now - waiting.since);
            if waited < FIRST_WAIT || !self.take_back_for(who, waited, now) {
                return;
            }
            self.settle();
        }
    }

    /// Takes one slot back; false where nobody has one that should be this one's.
    fn take_back_for(&mut self, who: Uploader, waited: Duration, now: Instant) -> bool {
        let doublings = waited.as_secs().min(MOST_DOUBLINGS);
        #[expect(clippy::cast_precision_loss, reason = "at most 256 Ki")]
        let least = (LEAST_PER_SECOND << doublings) as f64;
        let fair = self.holds(who.account) + 1;
        let by_account = &self.by_account;
        let candidates = self
            .held
            .iter_mut()
            .filter(|(_, held)| !held.who.organizes || who.organizes)
            .filter_map(|(&id, held)| {
                let holds = by_account.get(&held.who.account).copied().unwrap_or(0);
                let pace = held.meter.pace(now);
                let slow = pace.is_some_and(|pace| pace < least);
                let greedy = holds > fair && (slow || waited >= FAIR_WAIT);
                let pace = pace.map_or(u64::MAX, f64::to_bits);
                (slow || greedy).then_some(((holds, slow, Reverse(pace)), id))
            });
        let taken = candidates.max().and_then(|(_, id)| self.free(id));
        if let Some(held) = &taken {
            held.taken_back.cancel();
        }
        taken.is_some()
    }

    fn refusal(&self, who: Uploader) -> Problem {
        if self.holds(who.account) < MOST_EACH {
            return all_taken();
        }
        Problem::unavailable(
            30,
            format!(
                "you have {MOST_EACH} uploads under way, the most for one person; try again when one has ended"
            ),
        )
    }
}

fn less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn all_taken() -> Problem {
    Problem::unavailable(
        5,
        "every upload slot of this server is taken; try again in a few seconds",
    )
}

impl UploadSlot {
    /// What the sender sends next; [`Self::arrived`] says how much it was.
    ///
    /// # Errors
    /// 408 for a sender that is too slow, 503 where somebody else needs the slot more.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Problem> {
        self.meter(|meter, now| meter.waits_since = Some(now));
        let until = self
            .until
            .unwrap_or_else(|| Instant::now() + Duration::from_hours(24 * 365));
        let paced = timeout_at(until, self.pace.wait(next));
        let arrived = tokio::select! {
            biased;
            () = self.taken_back.cancelled() => Err(Ended::TakenBack),
            arrived = paced => match arrived {
                Ok(Ok(arrived)) => Ok(arrived),
                Ok(Err(_)) => Err(Ended::TooSlow),
                Err(_) => Err(Ended::TooLong),
            }
        };
        self.meter(|meter, now| {
            meter.waited += meter
                .waits_since
                .take()
                .map_or(Duration::ZERO, |since| now - since);
        });
        arrived.map_err(Ended::problem)
    }

    pub fn arrived(&mut self, bytes: usize) {
        self.pace.arrived(bytes);
        self.meter(|meter, _| meter.bytes += bytes as u64);
    }

    fn meter(&self, change: impl FnOnce(&mut Meter, Instant)) {
        if let Some(held) = self.slots.state().held.get_mut(&self.id) {
            change(&mut held.meter, Instant::now());
        }
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.free(self.id);
        state.waiting.retain(|waiting| waiting.id != self.id);
        state.settle();
    }
}

impl Ended {
    fn problem(self) -> Problem {
        use axum::http::StatusCode;
        match self {
            Self::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "less than 4 KiB a second arrived for a minute; send it again over a faster line",
            ),
            Self::TooLong => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the upload took longer than its size allows; send it again over a faster line",
            ),
            Self::TakenBack => Problem::unavailable(
                10,
                "all upload slots were taken and somebody with fewer waited, and this upload was among the slowest; send it again in a few seconds",
            ),
        }
    }
}

#[cfg(test)]
mod tests;

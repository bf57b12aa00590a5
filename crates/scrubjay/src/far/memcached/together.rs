//! Changes of one counter that go together: whoever comes while one is under way waits, and all who wait make the next one.
//!
//! The work is done by a task, so that nobody's leaving takes it from the others.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use scrubjay_memcached::Client;
use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
    time,
};

use super::counter;
use crate::{
    Error, ErrorKind, Result, clock,
    far::{Call, Change, timer},
    random,
};

/// Longer than this nobody waits for another's patience: a server that is silent for so long is tried anew.
const LONGEST_TRY: Duration = Duration::from_secs(5);

/// The counters of one store that somebody is changing. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Together(Arc<Mutex<Places>>);

/// By runtime, since a task lives on one, and key. A place exists for as long as a task serves it.
type Places = HashMap<runtime::Id, HashMap<Box<str>, Vec<Waiting>>>;

/// A change that waits to be made.
pub(super) struct Waiting {
    pub(super) by: i64,
    pub(super) ttl: Option<Duration>,
    deadline: Instant,
    answer: oneshot::Sender<Result<i64>>,
}

impl Together {
    /// Whether changes of `key` are under way, or wait.
    pub(super) fn is_busy_with(&self, key: &str) -> bool {
        let places = self.0.lock();
        !places.is_empty()
            && timer::runtime().is_ok_and(|here| places.get(&here).is_some_and(|keys| keys.contains_key(key)))
    }

    /// Makes `change`, with those of others; answers the value that it led to.
    pub(super) async fn change(&self, client: &Client, call: Call, change: Change<'_>) -> Result<i64> {
        let runtime = timer::runtime()?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { by: change.by, ttl: change.ttl, deadline: call.deadline, answer };
        if self.wait_at(runtime, change.key, waiting) == First::Yes {
            let place = Place { together: self.clone(), runtime, key: change.key.into(), is_given_up: false };
            // It ends when nobody waits any more.
            drop(Handle::current().spawn(place.serve(client.clone())));
        }
        let answered = timer::until(call.deadline, answered).await?;
        let answered = answered.ok_or_else(|| Error::new(ErrorKind::Timeout, "no answer before the deadline"))?;
        answered.unwrap_or_else(|_| Err(Error::new(ErrorKind::Connection, "the runtime that was counting has ended")))
    }

    /// Lets `change` wait for its turn; says whether the place is new, and wants a task.
    fn wait_at(&self, runtime: runtime::Id, key: &str, change: Waiting) -> First {
        match self.0.lock().entry(runtime).or_default().entry(key.into()) {
            Entry::Occupied(mut others) => {
                others.get_mut().push(change);
                First::No
            }
            Entry::Vacant(vacant) => {
                vacant.insert(vec![change]);
                First::Yes
            }
        }
    }
}

/// Whether nobody was there before.
#[derive(PartialEq)]
enum First {
    Yes,
    No,
}

/// One counter on one runtime, as long as it is served.
struct Place {
    together: Together,
    runtime: runtime::Id,
    key: Box<str>,
    is_given_up: bool,
}

impl Place {
    async fn serve(mut self, client: Client) {
        let (mut changes, mut lost) = (Vec::new(), 0);
        while self.gather(&mut changes) {
            let latest = changes.iter().map(|change| change.deadline).max().unwrap_or_else(clock::now);
            let client = client.until(latest.min(clock::now() + LONGEST_TRY));
            let answers = match counter::change_all(&client, &self.key, &changes).await {
                Ok(Some(answers)) => answers,
                Ok(None) => {
                    pause(lost).await;
                    lost += 1;
                    continue;
                }
                Err(error) => vec![Err(error); changes.len()],
            };
            lost = 0;
            for (change, answer) in changes.drain(..).zip(answers) {
                // Whoever left does not want it.
                let _ = change.answer.send(answer);
            }
        }
    }

    /// Adds those who wait to `changes`, without those who have left. If there are none, the place is given up.
    fn gather(&mut self, changes: &mut Vec<Waiting>) -> bool {
        let mut places = self.together.0.lock();
        let waiting = places.get_mut(&self.runtime).and_then(|keys| keys.get_mut(&self.key));
        changes.append(waiting.unwrap_or(&mut Vec::new()));
        changes.retain(|change| !change.answer.is_closed());
        if changes.is_empty() {
            remove(&mut places, self.runtime, &self.key);
            self.is_given_up = true;
        }
        !changes.is_empty()
    }
}

impl Drop for Place {
    /// With its runtime a task may end in between.
    fn drop(&mut self) {
        if !self.is_given_up {
            remove(&mut self.together.0.lock(), self.runtime, &self.key);
        }
    }
}

fn remove(places: &mut Places, runtime: runtime::Id, key: &str) {
    if let Entry::Occupied(mut keys) = places.entry(runtime) {
        keys.get_mut().remove(key);
        if keys.get().is_empty() {
            keys.remove();
        }
    }
}

/// Lets another process go first, for a random while that grows with the number of times that it was quicker.
async fn pause(lost: u32) {
    let [fraction] = random::shared().fractions();
    time::sleep(Duration::from_millis(1 << lost.min(4)).mul_f64(fraction)).await;
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, pin::pin};

    use super::*;
    use crate::Operation;

    #[test]
    fn with_its_runtime_a_place_is_given_up() {
        // It lets clients in, and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&silent.local_addr().unwrap().to_string()).unwrap();
        let together = Together::default();
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let call = Call::new(Operation::Increment, Duration::from_secs(60));
            let mut change = pin!(together.change(&client, call, Change { key: "key", by: -1, ttl: None }));
            let begun = std::future::poll_fn(|context| {
                assert!(change.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(together.is_busy_with("key"))
            });
            assert!(begun.await);
            tokio::task::yield_now().await;
        });
        drop(runtime);
        assert!(together.0.lock().is_empty());
    }
}

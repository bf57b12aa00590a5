//! The layers around a store: what reaches it, what the caller gets, and when. Time is tokio's, paused: nothing here waits.

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use scrubjay::{
    Error, ErrorKind, Operation, Result, Retryable,
    far::{
        self, AnyStore, Call, Capability, Change, Claim, Found, Item, MemoryStore, Reply, Scope, Store, StoreInfo,
        Token, Want,
        layer::{Breaker, Chaos, Circuit, Layer, Limit, Retry, Timeout},
    },
};
use tokio::time::{Instant, advance};

/// What a [`Scripted`] store does with a call.
#[derive(Clone, Debug)]
enum Step {
    Answer,
    AnswerAfter(Duration),
    Fail(Error),
    Hang,
}

/// A store that follows a script, answers well when it is over, and knows how many calls reached it.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    otherwise: Option<Step>,
    calls: u32,
}

impl Scripted {
    fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self(Arc::new(Mutex::new(Script { steps, ..Script::default() })))
    }

    fn always(step: Step) -> Self {
        let store = Self::default();
        store.then_always(step);
        store
    }

    fn then_always(&self, step: Step) {
        self.0.lock().otherwise = Some(step);
    }

    fn calls(&self) -> u32 {
        self.0.lock().calls
    }

    fn inside(&self, layer: impl Layer) -> AnyStore {
        layer.wrap(AnyStore::new(self.clone()))
    }

    async fn step<T>(&self, answer: T) -> Result<T> {
        let step = {
            let mut script = self.0.lock();
            script.calls += 1;
            let next = script.steps.pop_front();
            next.or_else(|| script.otherwise.clone()).unwrap_or(Step::Answer)
        };
        match step {
            Step::Answer => Ok(answer),
            Step::AnswerAfter(delay) => {
                tokio::time::sleep(delay).await;
                Ok(answer)
            }
            Step::Fail(error) => Err(error),
            Step::Hang => pending().await,
        }
    }
}

impl Store for Scripted {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("scripted")
    }
    fn capability(&self) -> Capability {
        Capability { increment: true, ..Capability::NONE }
    }
    async fn get(&self, _: Call, keys: &[&str], _: Want) -> Result<Vec<Option<Found>>> {
        self.step(vec![None; keys.len()]).await
    }
    async fn set(&self, _: Call, _: &[Item<'_>]) -> Result<()> {
        self.step(()).await
    }
    async fn add(&self, _: Call, _: &Item<'_>) -> Result<bool> {
        self.step(true).await
    }
    async fn compare_and_set(&self, _: Call, _: &Item<'_>, _: &Token) -> Result<bool> {
        self.step(true).await
    }
    async fn claim(&self, _: Call, _: &Item<'_>) -> Result<Claim> {
        self.step(Claim::Won(Token::Absent)).await
    }
    async fn compare_and_delete(&self, _: Call, _: &str, _: &Token) -> Result<bool> {
        self.step(true).await
    }
    async fn increment(&self, _: Call, change: Change<'_>) -> Result<i64> {
        self.step(change.by).await
    }
    async fn expire(&self, _: Call, _: &str, _: Option<Duration>) -> Result<bool> {
        self.step(true).await
    }
    async fn delete(&self, _: Call, keys: &[&str]) -> Result<Vec<bool>> {
        self.step(vec![true; keys.len()]).await
    }
    async fn clear(&self, _: Call, _: Scope<'_>) -> Result<()> {
        self.step(()).await
    }
    async fn raw(&self, _: Call, _: &[Bytes]) -> Result<Reply> {
        self.step(Reply::Ok).await
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "scripted")
}

fn fail(kind: ErrorKind) -> Step {
    Step::Fail(error(kind))
}

async fn get_within(store: &AnyStore, timeout: Duration) -> Result<()> {
    let call = Call::new(Operation::Get, timeout);
    store.get(call, &["key"], Want::VALUE).await.map(drop)
}

async fn get(store: &AnyStore) -> Result<()> {
    get_within(store, SECOND).await
}

async fn increment(store: &AnyStore) -> Result<i64> {
    let change = Change { key: "visits", by: 1, ttl: None };
    store.increment(Call::new(Operation::Increment, SECOND), change).await
}

/// A get that has begun and waits.
async fn begun(store: &AnyStore) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    let store = store.clone();
    let mut call: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move { get(&store).await });
    assert!(poll_now(&mut call).await.is_pending());
    call
}

async fn poll_now<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

mod timeout {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline_and_not_before() {
        let store = Scripted::always(Step::Hang).inside(Timeout::new());
        let start = Instant::now();
        let late = get_within(&store, ms(300)).await.unwrap_err();
        assert_eq!((late.kind(), start.elapsed()), (ErrorKind::Timeout, ms(300)));
        assert!(late.is_retryable());
        assert_eq!(late.to_string(), "no answer within 300ms");

        let store = Scripted::always(Step::AnswerAfter(ms(299))).inside(Timeout::new());
        get_within(&store, ms(300)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_before_the_call_but_never_after_it() {
        let store = Scripted::always(Step::Hang).inside(Timeout::new().attempt_timeout(ms(200)));
        for (timeout, end) in [(SECOND, ms(200)), (ms(50), ms(50))] {
            let start = Instant::now();
            assert_eq!(get_within(&store, timeout).await.unwrap_err().kind(), ErrorKind::Timeout);
            assert_eq!(start.elapsed(), end);
        }
        let forever = Scripted::default().inside(Timeout::new().attempt_timeout(Duration::MAX));
        get_within(&forever, Duration::MAX).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_time_is_up_is_not_sent() {
        let scripted = Scripted::default();
        let late = get_within(&scripted.inside(Timeout::new()), Duration::ZERO).await.unwrap_err();
        assert_eq!((late.kind(), scripted.calls()), (ErrorKind::Timeout, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn inside_retry_a_lost_reply_leaves_time_for_another_try() {
        let scripted = Scripted::steps([Step::Hang, Step::Hang]);
        let store = Retry::new().wrap(scripted.inside(Timeout::new().attempt_timeout(ms(200))));
        get(&store).await.unwrap();
        assert_eq!(scripted.calls(), 3);
    }

    #[test]
    fn it_keeps_deadlines_for_a_store_that_does_not() {
        let inner = Scripted::default();
        assert!(!Store::capability(&inner).keeps_deadlines);
        let capability = inner.inside(Timeout::new()).capability();
        assert!(capability.keeps_deadlines && capability.needs_runtime && capability.increment);
    }
}

mod retry {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_not_seen() {
        let scripted = Scripted::steps([fail(ErrorKind::Connection), fail(ErrorKind::Timeout)]);
        get(&scripted.inside(Retry::new())).await.unwrap();
        assert_eq!(scripted.calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_tries_are_used_up_the_last_error_is_told() {
        let scripted = Scripted::steps([fail(ErrorKind::Timeout), fail(ErrorKind::Connection)]);
        let last = get(&scripted.inside(Retry::new().retries(1))).await.unwrap_err();
        assert_eq!((last.kind(), scripted.calls()), (ErrorKind::Connection, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_retried() {
        let refused = error(ErrorKind::Server).with_retryable(Retryable::No);
        for step in [fail(ErrorKind::NotANumber), fail(ErrorKind::Config), Step::Fail(refused)] {
            let scripted = Scripted::always(step);
            get(&scripted.inside(Retry::new())).await.unwrap_err();
            assert_eq!(scripted.calls(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_increment_that_may_have_been_sent_is_never_repeated() {
        let busy = error(ErrorKind::Server).with_retryable(Retryable::Yes);
        for step in [fail(ErrorKind::Connection), fail(ErrorKind::Timeout), Step::Fail(busy)] {
            let scripted = Scripted::always(step);
            increment(&scripted.inside(Retry::new())).await.unwrap_err();
            assert_eq!(scripted.calls(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_increment_that_was_certainly_not_sent_is_repeated() {
        let scripted = Scripted::steps([fail(ErrorKind::Overloaded), fail(ErrorKind::Overloaded)]);
        assert_eq!(increment(&scripted.inside(Retry::new())).await.unwrap(), 1);
        assert_eq!(scripted.calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_jitter_and_repeat_with_the_seed() {
        async fn pauses(seed: u64) -> Duration {
            let start = Instant::now();
            let retry = Retry::new().retries(3).backoff(ms(100)).seed(seed);
            get_within(&Scripted::always(fail(ErrorKind::Connection)).inside(retry), 10 * SECOND).await.unwrap_err();
            start.elapsed()
        }
        let mut sum = Duration::ZERO;
        for seed in 0..100 {
            let all = pauses(seed).await;
            assert_eq!(all, pauses(seed).await);
            assert!(all <= ms(700 + 3), "{all:?}");
            sum += all;
        }
        // Half of 100 + 200 + 400 on average.
        assert!((ms(300)..ms(400)).contains(&(sum / 100)), "{sum:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_would_pass_the_deadline_is_not_begun() {
        let mut gave_up_early = 0;
        for seed in 0..100 {
            let scripted = Scripted::always(fail(ErrorKind::Connection));
            let retry = Retry::new().retries(u32::MAX).backoff(ms(20)).seed(seed);
            let start = Instant::now();
            let last = get_within(&scripted.inside(retry), ms(50)).await.unwrap_err();
            assert_eq!(last.kind(), ErrorKind::Connection);
            assert!(start.elapsed() < ms(50), "seed {seed}: {:?}", start.elapsed());
            gave_up_early += u32::from(start.elapsed() < ms(40));
        }
        assert!(gave_up_early > 10, "an error is told at once, not at the deadline: {gave_up_early}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_open_circuit_refuses_is_refused_at_once() {
        let scripted = Scripted::always(fail(ErrorKind::Connection));
        let breaker = Breaker::new().window(5).failures(1.0);
        let store = Retry::new().retries(4).wrap(scripted.inside(breaker.clone()));
        get(&store).await.unwrap_err();
        assert_eq!((breaker.state(), scripted.calls()), (Circuit::Open, 5));
        let start = Instant::now();
        assert_eq!(get(&store).await.unwrap_err().kind(), ErrorKind::Overloaded);
        assert_eq!((start.elapsed(), scripted.calls()), (Duration::ZERO, 5));
    }
}

mod breaker {
    use super::*;

    /// A circuit that five failed calls have just opened.
    async fn opened(store: &Scripted) -> (Breaker, AnyStore) {
        let breaker = Breaker::new();
        let inside = store.inside(breaker.clone());
        store.then_always(fail(ErrorKind::Connection));
        for _ in 0..5 {
            assert_eq!(breaker.state(), Circuit::Closed);
            assert!(get(&inside).await.is_err());
        }
        assert_eq!(breaker.state(), Circuit::Open);
        store.then_always(Step::Answer);
        (breaker, inside)
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_circuit_refuses_without_asking_and_says_until_when() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        advance(ms(400)).await;
        let refused = increment(&store).await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Overloaded, true));
        assert_eq!(refused.to_string(), "refused without being tried: the circuit is open for another 600ms");
        assert_eq!((scripted.calls(), breaker.state()), (5, Circuit::Open));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_succeeds_closes_the_circuit() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        advance(SECOND).await;
        assert_eq!(breaker.state(), Circuit::HalfOpen);
        get(&store).await.unwrap();
        assert_eq!(breaker.state(), Circuit::Closed);
        // With a clean slate: it takes five failures again.
        scripted.then_always(fail(ErrorKind::Timeout));
        for _ in 0..4 {
            get(&store).await.unwrap_err();
        }
        assert_eq!(breaker.state(), Circuit::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_opens_it_again_for_the_whole_cooldown() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        scripted.then_always(fail(ErrorKind::Timeout));
        for probes in 1..=3 {
            advance(SECOND).await;
            get(&store).await.unwrap_err();
            assert_eq!((breaker.state(), scripted.calls()), (Circuit::Open, 5 + probes));
            advance(ms(999)).await;
            assert_eq!(get(&store).await.unwrap_err().kind(), ErrorKind::Overloaded);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        scripted.then_always(Step::AnswerAfter(ms(100)));
        advance(SECOND).await;
        let probe = begun(&store).await;
        for _ in 0..10 {
            let refused = get(&store).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Overloaded);
            assert!(refused.to_string().contains("half open"), "{refused}");
        }
        assert_eq!((breaker.state(), scripted.calls()), (Circuit::HalfOpen, 6));
        probe.await.unwrap();
        assert_eq!(breaker.state(), Circuit::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_probe_makes_room_for_the_next() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        scripted.then_always(Step::Hang);
        advance(SECOND).await;
        for _ in 0..3 {
            drop(begun(&store).await);
            assert_eq!(breaker.state(), Circuit::HalfOpen);
        }
        scripted.then_always(Step::Answer);
        get(&store).await.unwrap();
        assert_eq!(breaker.state(), Circuit::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_was_not_tried_makes_room_too() {
        let scripted = Scripted::default();
        let (breaker, store) = opened(&scripted).await;
        scripted.then_always(fail(ErrorKind::Overloaded));
        advance(SECOND).await;
        get(&store).await.unwrap_err();
        assert_eq!(breaker.state(), Circuit::HalfOpen);
    }

    #[tokio::test(start_paused = true)]
    async fn errors_that_the_server_answered_do_not_count() {
        let refused = error(ErrorKind::Server).with_retryable(Retryable::No);
        let answers = [ErrorKind::Config, ErrorKind::NotANumber, ErrorKind::Unsupported, ErrorKind::Overloaded];
        for step in answers.map(fail).into_iter().chain([Step::Fail(refused)]) {
            let breaker = Breaker::new();
            let store = Scripted::always(step).inside(breaker.clone());
            for _ in 0..30 {
                get(&store).await.unwrap_err();
            }
            assert_eq!(breaker.state(), Circuit::Closed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_may_answer_later_counts_as_failing() {
        let breaker = Breaker::new();
        let busy = error(ErrorKind::Server).with_retryable(Retryable::Yes);
        let store = Scripted::always(Step::Fail(busy)).inside(breaker.clone());
        for _ in 0..5 {
            get(&store).await.unwrap_err();
        }
        assert_eq!(breaker.state(), Circuit::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_calls_count_and_only_their_share() {
        let scripted = Scripted::default();
        let breaker = Breaker::new().window(10).failures(0.5);
        let store = scripted.inside(breaker.clone());
        // One failure in four never opens it, however many there are.
        for round in 0..40 {
            scripted.then_always(if round % 4 == 0 { fail(ErrorKind::Timeout) } else { Step::Answer });
            drop(get(&store).await);
        }
        assert_eq!(breaker.state(), Circuit::Closed);
        scripted.then_always(Step::Answer);
        for _ in 0..10 {
            get(&store).await.unwrap();
        }
        scripted.then_always(fail(ErrorKind::Timeout));
        for _ in 0..5 {
            assert_eq!(breaker.state(), Circuit::Closed);
            get(&store).await.unwrap_err();
        }
        assert_eq!(breaker.state(), Circuit::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_calls_do_not_count_but_those_that_a_timeout_gave_up_do() {
        let breaker = Breaker::new();
        let store = Timeout::new().wrap(Scripted::always(Step::Hang).inside(breaker.clone()));
        for _ in 0..30 {
            drop(begun(&store).await);
        }
        assert_eq!(breaker.state(), Circuit::Closed);
        for _ in 0..5 {
            assert_eq!(get(&store).await.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert_eq!(breaker.state(), Circuit::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_a_change_say_nothing_after_it() {
        let scripted = Scripted::default();
        let breaker = Breaker::new();
        let store = Timeout::new().wrap(scripted.inside(breaker.clone()));
        scripted.then_always(Step::Hang);
        let mut stragglers = Vec::new();
        for _ in 0..20 {
            stragglers.push(begun(&store).await);
        }
        scripted.then_always(fail(ErrorKind::Connection));
        for _ in 0..5 {
            get(&store).await.unwrap_err();
        }
        advance(SECOND).await;
        scripted.then_always(Step::Answer);
        get(&store).await.unwrap();
        for straggler in stragglers {
            assert_eq!(straggler.await.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert_eq!(breaker.state(), Circuit::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_edges_of_the_options_open_and_close_too() {
        for (window, ratio, cooldown) in
            [(0, 0.0, Duration::ZERO), (1, f64::NAN, ms(1)), (u32::MAX, 2.0, Duration::MAX)]
        {
            let breaker = Breaker::new().window(window).failures(ratio).cooldown(cooldown);
            let scripted = Scripted::default();
            let store = scripted.inside(breaker.clone());
            for _ in 0..200 {
                get(&store).await.unwrap();
            }
            assert_eq!(breaker.state(), Circuit::Closed);
            scripted.then_always(fail(ErrorKind::Timeout));
            while breaker.state() == Circuit::Closed {
                get(&store).await.unwrap_err();
            }
            assert!(scripted.calls() <= 200 + 128);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_happened_a_server_that_works_is_used_again() {
        for seed in 0..50 {
            let scripted = Scripted::default();
            let breaker = Breaker::new().cooldown(ms(50));
            let chaos = Chaos::new().errors(0.5).lost_replies(0.3).delays(0.3, ms(20)).seed(seed);
            let store = breaker.clone().wrap(scripted.inside(chaos));
            for round in 0..200_u64 {
                let call = Box::pin(get_within(&store, ms(30)));
                // Every third call is left early, at another point each time.
                let patience = if round % 3 == 0 { ms(round % 25) } else { SECOND };
                drop(tokio::time::timeout(patience, call).await);
            }
            advance(ms(50)).await;
            let state = breaker.state();
            assert!(state != Circuit::Open, "seed {seed}");
            if state == Circuit::HalfOpen {
                // Nobody probes any more, so the next call may.
                let before = scripted.calls();
                while scripted.calls() == before {
                    let error = get(&store).await.err();
                    assert!(error.is_none_or(|error| error.kind() != ErrorKind::Overloaded), "seed {seed}");
                    advance(ms(50)).await;
                }
            }
        }
    }
}

mod limit {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_limit_queue_in_order() {
        let scripted = Scripted::always(Step::AnswerAfter(ms(100)));
        let store = scripted.inside(Limit::new().concurrency(2));
        let start = Instant::now();
        let call = async || {
            get(&store).await.unwrap();
            start.elapsed()
        };
        let ends = tokio::join!(call(), call(), call(), call(), call());
        assert_eq!(ends, (ms(100), ms(100), ms(200), ms(200), ms(300)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_place_by_the_deadline_was_never_tried() {
        let scripted = Scripted::always(Step::Hang);
        let store = scripted.inside(Limit::new().concurrency(1));
        let _running = begun(&store).await;
        let start = Instant::now();
        let refused = get_within(&store, ms(70)).await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Overloaded, true));
        assert_eq!((start.elapsed(), scripted.calls()), (ms(70), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_calls_give_their_place_back_running_or_queued() {
        let scripted = Scripted::always(Step::Hang);
        let store = scripted.inside(Limit::new().concurrency(1));
        let running = begun(&store).await;
        let queued = begun(&store).await;
        let mut next = begun(&store).await;
        assert_eq!(scripted.calls(), 1);
        drop(queued);
        drop(running);
        assert!(poll_now(&mut next).await.is_pending());
        assert_eq!(scripted.calls(), 2);
        drop(next);
        scripted.then_always(Step::Answer);
        get(&store).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_call_gives_its_place_back() {
        let scripted = Scripted::steps([fail(ErrorKind::Server)]);
        let store = scripted.inside(Limit::new().concurrency(0)); // at least one
        get(&store).await.unwrap_err();
        get(&store).await.unwrap();
    }
}

mod chaos {
    use super::*;

    async fn fates(chaos: Chaos) -> Vec<(Option<ErrorKind>, Duration, u32)> {
        let scripted = Scripted::default();
        let store = scripted.inside(chaos);
        let mut fates = Vec::new();
        for _ in 0..1_000 {
            let start = Instant::now();
            let error = get_within(&store, ms(100)).await.err();
            fates.push((error.map(|error| error.kind()), start.elapsed(), scripted.calls()));
        }
        fates
    }

    fn bad(seed: u64) -> Chaos {
        Chaos::new().errors(0.1).delays(0.2, ms(5)).lost_replies(0.3).seed(seed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_fixes_what_happens() {
        assert_eq!(fates(bad(1)).await, fates(bad(1)).await);
        assert_ne!(fates(bad(1)).await, fates(bad(2)).await);
        assert!(format!("{:?}", bad(42)).contains("seed: 42"));
    }

    #[tokio::test(start_paused = true)]
    async fn things_happen_as_often_as_they_should() {
        let fates = fates(bad(3)).await;
        let count =
            |matches: fn(&(Option<ErrorKind>, Duration, u32)) -> bool| fates.iter().filter(|f| matches(f)).count();
        assert!((70..130).contains(&count(|fate| fate.0 == Some(ErrorKind::Connection))));
        assert!((220..320).contains(&count(|fate| fate.0 == Some(ErrorKind::Timeout))));
        assert!((100..200).contains(&count(|fate| fate.0.is_none() && fate.1 == ms(5))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_sent_nothing() {
        let scripted = Scripted::default();
        let broken = increment(&scripted.inside(Chaos::new().errors(1.0).seed(9))).await.unwrap_err();
        assert_eq!((broken.kind(), broken.is_retryable(), scripted.calls()), (ErrorKind::Connection, true, 0));
        assert_eq!(broken.to_string(), "chaos of seed 9 broke the connection");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_reply_did_its_work_and_keeps_its_caller_waiting() {
        let memory = AnyStore::new(MemoryStore::default());
        let store = Chaos::new().lost_replies(1.0).wrap(memory.clone());
        let start = Instant::now();
        assert_eq!(increment(&store).await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(start.elapsed(), SECOND);
        assert_eq!(increment(&memory).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_hides_bad_luck_from_reads_and_never_doubles_an_increment() {
        for seed in 0..20 {
            let memory = AnyStore::new(MemoryStore::default());
            let chaos = Chaos::new().errors(0.2).lost_replies(0.2).seed(seed);
            let attempts = Timeout::new().attempt_timeout(ms(20)).wrap(chaos.wrap(memory.clone()));
            // Seeded, too: with pauses of chance the deadline comes first once in a few hundred runs.
            let store = Retry::new().retries(20).backoff(ms(1)).seed(seed).wrap(attempts);
            let (mut done, mut unsure) = (0, 0);
            for _ in 0..100 {
                get(&store).await.unwrap();
                match increment(&store).await {
                    Ok(_) => done += 1,
                    Err(_) => unsure += 1,
                }
            }
            let value = increment(&memory).await.unwrap() - 1;
            assert!((done..=done + unsure).contains(&value), "seed {seed}: {done} done, {unsure} unsure, {value} held");
        }
    }
}

mod by_name {
    use super::*;

    #[test]
    fn layers_stack_outermost_first() {
        let store = far::from_url("memory://?layers=timeout+retry+breaker+limit+chaos").unwrap();
        assert_eq!(store.to_string(), "timeout(retry(breaker(limit(chaos(memory)))))");
        assert_eq!(store.info().layers, ["timeout", "retry", "breaker", "limit", "chaos"]);
        assert!(store.capability().keeps_deadlines && store.capability().needs_runtime);
    }

    #[test]
    fn an_unknown_layer_or_option_is_answered_with_those_known() {
        let unknown = far::from_url("memory://?layers=retry+braker").unwrap_err();
        assert_eq!(unknown.to_string(), "unknown layer `braker`; known: breaker, chaos, limit, retry, timeout");
        let unknown = far::from_url("memory://?layers=retry&retires=3").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "memory: unknown option `retires`; known: layers, max-entries, retries, retry-backoff"
        );
        let elsewhere = far::from_url("memory://?layers=timeout&retries=3").unwrap_err();
        assert!(elsewhere.to_string().contains("unknown option `retries`"), "{elsewhere}");
    }

    #[test]
    fn options_that_cannot_work_are_told() {
        for (layer, option) in [
            ("timeout", "attempt-timeout=0"),
            ("timeout", "attempt-timeout=soon"),
            ("retry", "retries=-1"),
            ("retry", "retry-backoff=x"),
            ("breaker", "breaker-window=0"),
            ("breaker", "breaker-window=129"),
            ("breaker", "breaker-failures=50"),
            ("breaker", "breaker-cooldown=-1s"),
            ("limit", "concurrency=0"),
            ("limit", "concurrency=many"),
            ("chaos", "chaos-errors=1.5"),
            ("chaos", "chaos-delays=often"),
            ("chaos", "chaos-delay=1w"),
            ("chaos", "chaos-lost-replies=-0.1"),
            ("chaos", "chaos-seed=lucky"),
        ] {
            let error = far::from_url(&format!("memory://?layers={layer}&{option}")).unwrap_err();
            let name = option.split('=').next().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("option `{name}`")), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn options_reach_their_layers() {
        let url = "memory://?layers=breaker+retry+limit+timeout+chaos&breaker-window=8&breaker-failures=40%25\
            &breaker-cooldown=2s&retries=1&retry-backoff=1ms&concurrency=3&attempt-timeout=20ms\
            &chaos-lost-replies=1&chaos-seed=7";
        let store = far::from_url(url).unwrap();
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(get(&store).await.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert!((ms(5 * 2 * 20)..=ms(5 * (2 * 20 + 2))).contains(&start.elapsed()), "{:?}", start.elapsed());
        let refused = get(&store).await.unwrap_err().to_string();
        assert_eq!(refused, "refused without being tried: the circuit is open for another 2s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_without_a_probability_holds_up_every_call() {
        let store = far::from_url("memory://?layers=chaos&chaos-delay=30ms").unwrap();
        let start = Instant::now();
        for _ in 0..10 {
            get(&store).await.unwrap();
        }
        assert_eq!(start.elapsed(), ms(300));
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_timeouts_the_inner_one_takes_the_option() {
        let url = "memory://?layers=timeout+retry+timeout+chaos&attempt-timeout=100ms&retries=3&chaos-lost-replies=1";
        let start = Instant::now();
        get(&far::from_url(url).unwrap()).await.unwrap_err();
        assert!(start.elapsed() >= ms(400), "all four tries had their time: {:?}", start.elapsed());
    }
}

mod outside_a_runtime {
    use super::*;

    /// Polls once, where there is no tokio.
    fn poll_once<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("nothing here can wait"),
        }
    }

    #[test]
    fn waiting_is_an_error_and_no_panic() {
        let memory = || AnyStore::new(MemoryStore::default());
        let broken = || Chaos::new().errors(1.0).wrap(memory());
        for store in [
            Timeout::new().wrap(memory()),
            Retry::new().backoff(ms(1)).wrap(broken()),
            Chaos::new().delays(1.0, ms(1)).wrap(memory()),
            Chaos::new().lost_replies(1.0).wrap(memory()),
        ] {
            let error = poll_once(get(&store)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{store}");
            assert!(error.to_string().contains("needs a tokio runtime"), "{error}");
        }
        let unhidden = poll_once(get(&Retry::new().wrap(broken()))).unwrap_err();
        assert!(unhidden.to_string().contains("broke the connection"), "{unhidden}");
    }

    #[test]
    fn queueing_is_an_error_and_no_panic() {
        let store = Scripted::always(Step::Hang).inside(Limit::new().concurrency(1));
        let mut running = pin!(get(&store));
        assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(poll_once(get(&store)).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn what_need_not_wait_works() {
        let store = far::from_url("memory://?layers=retry+breaker+limit+chaos").unwrap();
        poll_once(get(&store)).unwrap();
    }
}

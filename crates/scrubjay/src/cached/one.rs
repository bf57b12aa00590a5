//! A call of a function of one value: from the cache, or from the function itself.

use std::{marker::PhantomData, pin::Pin};

use super::{
    Answer, Call, Flight, Keep, Sharing,
    call::Target,
    face::{Async, Blocking, Face, at_once},
    own::Own,
    sharing::{Verdict, is_worth_another_try, settle},
};
use crate::{
    Outcome, Result,
    argument_key::Text,
    engine::{Get, GetOrLoad},
    load::{Loader, Sealed},
};

/// Carries out a call of an async function that the near tier could not answer: `run` calls it.
///
/// # Panics
/// If the cache is misconfigured, and the function cannot return that.
pub fn load<'c, A, F, R, K, S>(
    call: Call<'c, A::Value, Text>,
    run: F,
    keep: K,
    sharing: S,
) -> Pin<Box<dyn Future<Output = A::Returned> + Send + 'c>>
where
    A: Answer<Value: Clone + Send + Sync + 'static> + 'c,
    F: FnOnce() -> R + Send + 'c,
    R: Future<Output = A::Returned> + Send + 'c,
    K: Fn(&A::Value) -> Keep + Send + Sync + 'c,
    S: Sharing<A::Error> + 'c,
{
    // Boxed, so that a hit does not carry around the room for a miss, and a function may call itself.
    Box::pin(carry_out::<Async, A, F, R, K, S>(call, run, keep, sharing))
}

/// As [`load`], of a function that is not async.
///
/// # Panics
/// As [`load`].
#[inline(never)]
pub fn load_blocking<A, F, R, K, S>(call: Call<'_, A::Value, Text>, run: F, keep: K, sharing: S) -> A::Returned
where
    A: Answer<Value: Clone + Send + Sync + 'static>,
    F: FnOnce() -> R + Send,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&A::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    at_once(carry_out::<Blocking, A, F, R, K, S>(call, run, keep, sharing))
}

async fn carry_out<X, A, F, R, K, S>(call: Call<'_, A::Value, Text>, run: F, keep: K, sharing: S) -> A::Returned
where
    X: Face,
    A: Answer<Value: Clone + Send + Sync + 'static>,
    F: FnOnce() -> R + Send,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&A::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    let (function, own) = (call.function, Own::<A, F, R>::new(run));
    let answer = match call.open() {
        Err(error) => Err(error),
        Ok(None) => return own.finish().await,
        Ok(Some((target, key))) if target.flight == Flight::Own => {
            if target.reads()
                && let Ok(Some(value)) = target.ask::<X, _>(Get::new((&*key).into())).await
                && let Some(returned) = A::close(Some(value))
            {
                return returned;
            }
            if let Ok(Some(value)) = own.run(sharing).await {
                let keep = keep(&value);
                target.put::<X>(&key, value, keep).await;
            }
            return own.finish().await;
        }
        Ok(Some((target, key))) => loop {
            let loader = Behind { own: &own, target: &target, key: &key, keep: &keep, sharing, face: PhantomData::<X> };
            match target.load::<X, _>(GetOrLoad::new((&*key).into(), loader)).await {
                Err(error) if own.is_ahead() && is_worth_another_try(&error, sharing) => {}
                answer => break answer,
            }
        },
    };
    let verdict = match answer {
        Ok(value) => match A::close(value) {
            Some(returned) => return returned,
            None => Verdict::CallItself,
        },
        Err(error) => match own.failure() {
            Some(returned) => return returned,
            None => settle(function, error, sharing),
        },
    };
    match verdict {
        Verdict::Return(error) => A::fail(error),
        Verdict::CallItself => own.finish().await,
    }
}

/// The function as a loader.
struct Behind<'c, X, A: Answer, F, R, K, S> {
    own: &'c Own<A, F, R>,
    target: &'c Target<'c, A::Value>,
    key: &'c str,
    keep: &'c K,
    sharing: S,
    face: PhantomData<X>,
}

impl<X, A: Answer, F, R, K, S> Sealed for Behind<'_, X, A, F, R, K, S> {}

impl<X, A, F, R, K, S> Loader<A::Value> for Behind<'_, X, A, F, R, K, S>
where
    X: Face,
    A: Answer<Value: Clone + Send + Sync + 'static>,
    F: FnOnce() -> R + Send,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&A::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    type Output = Option<A::Value>;
    const BLOCKS: bool = X::BLOCKS;

    async fn load(self, _: &str, _: Option<A::Value>) -> Result<Outcome<A::Value>> {
        let Some(value) = self.own.run(self.sharing).await? else { return Ok(Outcome::NotFound) };
        let keep = (self.keep)(&value);
        Ok(self.target.outcome::<X>(self.key, value, keep).await)
    }

    fn output(value: Option<A::Value>) -> Result<Option<A::Value>> {
        Ok(value)
    }
}

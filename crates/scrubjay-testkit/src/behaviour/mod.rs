//! The behaviour suite: what every cache must do, one function a behaviour.
//!
//! Each names what it [`Need`]s of a backend; where that is missing, what must happen [instead](Need::instead) is checked, so that
//! nothing is skipped. [`behaviour_tests!`](crate::behaviour_tests) makes a named test of each.
//!
//! A behaviour that does not hold panics, or answers the error that it did not expect.

pub mod add;
pub mod batches;
pub mod claims;
pub mod compare_and_set;
pub mod counters;
pub mod delete;
pub mod expire;
pub mod faces;
pub mod keys;
pub mod locks;
pub mod lookup;
pub mod namespaces;
mod need;
pub mod plugins;
pub mod remains;
pub mod requests;
pub mod server;
pub mod ttl;
pub mod values;

use std::{fmt::Debug, pin::Pin};

use scrubjay::{Error, ErrorKind, Result};

pub use self::need::Need;
use crate::Subject;

/// One thing that a cache must do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Behaviour {
    /// What it does, as a name.
    pub name: &'static str,
    /// What it takes of a backend.
    pub needs: &'static [Need],
    check: fn(&Subject) -> Checking<'_>,
}

type Checking<'s> = Pin<Box<dyn Future<Output = Result<()>> + Send + 's>>;

impl Behaviour {
    /// Checks it on a fresh `subject`, or what must happen instead of the first need that is not met.
    pub async fn check(&self, subject: &Subject) -> Result<()> {
        match self.needs.iter().find(|need| !need.is_met_by(subject)) {
            None => (self.check)(subject).await,
            Some(missing) => missing.instead(subject).await,
        }
    }
}

/// Checks the behaviour called `name`; what a test of [`behaviour_tests!`](crate::behaviour_tests) runs.
pub fn run(name: &str, subject: impl Future<Output = Subject>) {
    let behaviour = BEHAVIOURS.iter().find(|behaviour| behaviour.name == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let (Some(behaviour), Ok(runtime)) = (behaviour, runtime) else { panic!("no behaviour `{name}`, or no runtime") };
    runtime.block_on(async {
        let subject = subject.await;
        if let Err(error) = behaviour.check(&subject).await {
            panic!("unexpected error on {subject:?}: {error:?}");
        }
    });
}

/// Checks that `answer` is an error of `kind`, and answers it.
#[track_caller]
fn fails_as<T: Debug>(kind: ErrorKind, answer: Result<T>) -> Error {
    match answer {
        Err(error) if error.kind() == kind => error,
        other => panic!("expected an error of kind {kind:?}, found {other:?}"),
    }
}

/// Writes the table of behaviours, and from the same list the macro that makes a test of each. `$d` is a dollar sign, for the
/// inner macro.
macro_rules! behaviours {
    ($d:tt $($room:ident { $($name:ident [$($need:ident)*])* })*) => {
        /// Every behaviour.
        pub const BEHAVIOURS: &[Behaviour] = &[$($(
            Behaviour {
                name: stringify!($name),
                needs: &[$(Need::$need),*],
                check: |subject| Box::pin($room::$name(subject)),
            },
        )*)*];

        /// Makes a module of tests, one for each [behaviour](crate::behaviour): `behaviour_tests!(my_store, subject())`.
        ///
        /// The expression is evaluated anew in each test, inside a runtime (it may `.await`); it gives a
        /// [`Subject`](crate::Subject) over a backend that is fresh and empty.
        #[macro_export]
        macro_rules! behaviour_tests {
            ($d module:ident, $d subject:expr) => {
                mod $d module {
                    #[allow(unused_imports)]
                    use super::*;
                    $($(
                        #[test]
                        fn $name() {
                            $crate::behaviour::run(stringify!($name), async { $d subject });
                        }
                    )*)*
                }
            };
        }
    };
}

behaviours! { $
    values {
        a_value_that_was_set_is_read_back [Retention]
        an_absent_key_is_a_miss []
        set_replaces_what_stood_there [Retention]
        a_stored_null_is_not_a_miss [Retention]
        falsy_values_are_values [Retention]
        a_value_of_a_mebibyte_is_kept_whole [Retention]
        undecodable_bytes_are_a_counted_miss [Retention Serializer]
        a_value_that_cannot_be_encoded_writes_nothing [Retention Serializer]
    }
    keys {
        odd_keys_are_told_apart [Retention]
        odd_keys_are_told_apart_inside_a_namespace [Retention]
        a_key_builder_maps_the_keys_of_every_verb [Retention]
    }
    ttl {
        without_a_ttl_an_entry_lives_on [Retention]
        an_entry_expires_at_its_deadline_and_not_before [Retention]
        an_expired_entry_is_absent_to_every_reading_verb [Retention]
        a_ttl_is_rounded_up_and_never_down [Retention]
        the_shortest_ttl_is_a_ttl [Retention]
        the_longest_ttl_is_a_ttl [Retention]
        the_cache_s_ttl_applies_where_the_call_has_none [Retention]
        the_call_s_ttl_wins_over_the_cache_s [Retention]
        never_on_a_call_overrides_the_cache_s_ttl [Retention]
        a_second_set_starts_a_new_life [Retention]
        a_ttl_of_zero_is_refused_by_every_verb []
        a_ttl_of_zero_is_refused_by_the_builder []
        an_absurd_ttl_is_refused []
    }
    expire {
        ttl_tells_absent_never_and_remaining_apart [Retention Expire]
        ttl_of_an_expired_entry_is_absent [Retention Expire]
        expire_changes_the_ttl_and_keeps_the_value [Retention Expire]
        expire_never_makes_an_entry_permanent [Retention Expire]
        expire_of_an_absent_key_is_false [Retention Expire]
        expire_of_an_expired_entry_is_false [Retention Expire]
    }
    add {
        add_writes_only_where_nothing_stands [Retention]
        add_leaves_the_ttl_of_what_stands_there [Retention]
        add_takes_the_ttl_of_the_call [Retention]
        add_wins_over_an_expired_entry [Retention]
        add_sees_a_stored_null [Retention]
        one_of_a_hundred_concurrent_adds_wins [Retention]
    }
    delete {
        exists_tells_live_entries [Retention]
        delete_says_whether_a_live_entry_stood_there [Retention]
        delete_of_an_expired_entry_is_false [Retention]
        delete_many_counts_live_entries_once [Retention]
        delete_many_of_nothing_is_zero []
        one_of_ten_concurrent_deletes_is_told_true [Retention]
    }
    batches {
        get_many_keeps_order_and_duplicates [Retention]
        get_many_of_nothing_is_empty []
        get_many_leaves_out_what_has_expired [Retention]
        set_many_writes_every_entry [Retention]
        set_many_takes_the_ttl_of_the_call [Retention]
        set_many_of_nothing_does_nothing []
        of_two_under_one_key_the_later_stays [Retention]
        a_batch_with_a_value_that_cannot_be_encoded_writes_nothing [Retention Serializer]
        a_thousand_entries_fit_a_batch [Retention]
    }
    counters {
        an_absent_counter_is_zero [Retention Increment]
        increment_adds_any_number [Retention Increment]
        a_counter_reads_back_as_a_value [Retention Increment]
        a_number_that_was_set_counts_on [Retention Increment]
        increment_keeps_the_ttl [Retention Increment]
        a_created_counter_takes_the_ttl [Retention Increment]
        an_expired_counter_starts_again [Retention Increment]
        what_is_no_number_is_refused_and_kept [Retention Increment]
        a_counter_stays_in_range [Retention Increment]
        concurrent_increments_are_all_counted [Retention Increment]
    }
    compare_and_set {
        compare_and_set_writes_what_has_not_changed [Retention CompareAndSet]
        compare_and_set_refuses_after_a_change [Retention CompareAndSet]
        compare_and_set_refuses_after_a_delete [Retention CompareAndSet]
        compare_and_set_refuses_after_expiry [Retention CompareAndSet]
        the_token_of_an_absent_entry_creates_it_once [Retention CompareAndSet]
        a_token_is_good_for_one_write [Retention CompareAndSet]
        a_value_that_went_and_came_back_is_told_by_its_version [Retention CompareAndSet]
        compare_and_set_takes_the_ttl_of_the_call [Retention CompareAndSet]
        one_of_ten_concurrent_writers_wins [Retention CompareAndSet]
    }
    claims {
        a_claim_of_an_absent_key_wins_and_its_token_writes_once [Retention CompareAndSet Serializer]
        a_claim_of_a_held_key_tells_what_stands_there [Retention CompareAndSet Serializer]
        a_claim_wins_over_an_expired_entry [Retention CompareAndSet Serializer]
        a_claim_lives_as_long_as_its_ttl [Retention CompareAndSet Serializer]
        any_write_voids_the_token_of_a_claim [Retention CompareAndSet Serializer]
        one_of_a_hundred_concurrent_claims_wins [Retention CompareAndSet Serializer]
        compare_and_delete_removes_what_has_not_changed [Retention CompareAndSet Serializer]
        compare_and_delete_with_a_stale_token_removes_nothing [Retention CompareAndSet Serializer]
        one_of_ten_concurrent_compare_and_deletes_removes [Retention CompareAndSet Serializer]
    }
    locks {
        one_of_twenty_holds_a_lock_at_a_time [Retention CompareAndSet Increment]
        a_wait_for_a_lock_ends_with_its_patience [Retention CompareAndSet Increment]
        a_lock_is_lost_when_its_time_is_over [Retention CompareAndSet Increment]
        a_renewed_lock_is_held_on [Retention CompareAndSet Increment]
        a_dropped_guard_frees_its_lock [Retention CompareAndSet Increment]
        a_clear_frees_no_lock [Retention CompareAndSet Increment ClearPrefix]
        a_lock_is_the_same_without_async [Retention CompareAndSet Increment]
        of_two_optimists_one_is_told [Retention CompareAndSet]
    }
    lookup {
        lookup_tells_value_source_and_ttl [Retention]
        lookup_says_why_there_is_no_value []
    }
    remains {
        a_stale_value_is_gone_to_every_verb [Retention Expire CompareAndSet Increment]
        a_negative_entry_is_none_to_every_verb [Retention Expire CompareAndSet Increment]
        a_lease_is_no_entry_to_any_verb [Retention Expire CompareAndSet Increment]
    }
    namespaces {
        namespaces_do_not_see_each_other [Retention]
        a_call_s_namespace_is_the_cache_s [Retention]
        every_verb_honours_the_namespace [Retention]
        the_empty_namespace_is_none [Retention]
        clear_removes_one_namespace_and_no_other [Retention ClearPrefix]
        clear_takes_the_cache_s_namespace [Retention ClearPrefix]
        clear_of_an_empty_namespace_does_nothing [ClearPrefix]
        clear_without_a_namespace_empties_a_private_store [Retention Private ClearEverything]
        a_layout_whose_namespaces_meet_is_not_cleared [Serializer]
    }
    server {
        clear_server_removes_everything [Retention ClearEverything]
        an_unknown_command_is_an_error [Raw]
        close_is_idempotent_and_a_later_call_works [Retention]
        a_dropped_cache_leaves_its_clones_working [Retention]
    }
    faces {
        the_faces_agree_on_a_plain_thread []
        the_faces_agree_inside_a_runtime []
        the_faces_share_their_entries [Retention]
    }
    requests {
        a_request_does_nothing_until_it_is_awaited [Retention]
        requests_can_be_joined_and_selected [Retention]
        a_dropped_request_leaves_the_cache_in_step [Retention]
        clones_share_everything [Retention]
    }
    plugins {
        plugins_see_every_command_in_order []
        plugins_see_keys_as_they_were_given []
        plugins_see_where_values_were_found [Retention]
    }
}

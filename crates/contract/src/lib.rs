//! One conformance suite per port, run on every adapter, so that the adapters cannot drift apart.
//!
//! A case is an async function that takes a fresh, empty adapter and panics with what is wrong.
//! [`store_contract!`], [`sale_contract!`] and [`coordination_contract!`] make one test of each.

pub mod coordination;
pub mod sale;
pub mod store;

/// Makes a `#[tokio::test]` of every case of the store's contract. `$fresh` is an async function
/// that gives a fresh, empty store as `(Arc<dyn Store>, guard)`; the guard lives as long as the
/// test and takes the store's files away with it.
#[macro_export]
macro_rules! store_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, store;
            catalogue {
                an_empty_store_is_empty,
                shows_are_kept_as_they_were_written,
                importing_twice_changes_nothing,
                an_import_with_a_show_without_a_source_leaves_nothing,
                venues_and_halls_are_listed,
                what_does_not_exist_is_missing,
                seat_maps_are_as_planned,
                a_plan_that_contradicts_itself_is_rejected,
                categories_change_for_all_kinds_of_selections,
                performances_are_kept_and_their_revisions_rise,
                a_performance_stays_in_its_hall,
                prices_are_set_alone,
                terms_of_one_hall_share_its_seats,
                a_hundred_thousand_seats,
            }
            listings {
                titles_are_found_by_any_part_in_any_script,
                genres_are_found_whole,
                films_are_sorted_and_paged,
                performances_that_have_ended_are_left_out,
                concerts_with_the_nearest_date_come_first,
                a_performance_is_listed_with_its_show_and_place,
            }
            accounts {
                people_are_found_while_their_account_is_open,
                an_e_mail_address_has_one_account,
                closing_an_account_erases_the_person_and_ends_the_sessions,
                a_refresh_token_rotates_once,
                sessions_end_once,
                ended_sessions_are_listed,
            }
            sales {
                a_hold_is_kept_in_every_part,
                a_payment_moves_money_and_a_refund_moves_it_back,
                charges_add_up,
                keys_of_every_kind_are_loaded_with_what_they_stand_for,
                the_deadline_frees_seats_and_due_holds_are_listed,
                orders_of_a_buyer_are_paged,
                seats_are_locked_and_unlocked,
                only_what_is_asked_for_is_loaded,
                buyers_have_only_live_orders,
                old_keys_are_forgotten,
                a_large_batch_is_written_and_loaded,
            }
            transactions {
                dropping_a_transaction_undoes_it,
                a_transaction_sees_what_it_wrote,
                writers_wait_for_each_other,
                readers_do_not_wait_for_a_writer,
                an_old_order_version_is_a_conflict,
                an_old_wallet_version_is_a_conflict,
                an_old_performance_version_is_a_conflict,
                a_seat_cannot_be_claimed_twice,
                a_claim_of_another_order_is_not_deleted,
                a_key_cannot_be_used_twice,
                an_order_cannot_be_inserted_twice,
                a_refused_batch_leaves_nothing,
            }
            rooms {
                a_record_read_back_is_the_one_written,
                a_room_that_is_not_there_is_missing,
                one_node_at_a_time_runs_a_room,
                a_performance_is_behind_one_room_at_most,
                changes_are_asked_for_and_answered_once,
            }
            audits {
                everything_is_read_in_chunks,
                a_frozen_store_stands_still,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the sale's contract: the engine over a store. `$fresh`
/// is as in [`store_contract!`].
#[macro_export]
macro_rules! sale_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, sale;
            races {
                a_thousand_buyers_one_seat,
                a_thousand_buyers_one_seat_without_the_gate,
                sold_out_exactly_once,
                the_key_alone_prevents_overselling,
            }
            deadlines {
                pay_cancel_and_expiry_race,
                released_at_the_deadline_not_before,
                a_lapsed_hold_yields_without_being_released,
                holds_are_released_after_a_restart,
                a_hold_of_a_cancelled_performance_cannot_be_paid,
                free_within_a_second,
            }
            idempotency {
                same_key_at_the_same_moment,
                same_key_moves_money_once,
                a_key_belongs_to_one_request_of_one_person,
                a_repeated_request_is_answered_as_the_first,
                a_refusal_does_not_use_the_key_up,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the coordination's contract. `$fresh` is an async
/// function that gives `(Arc<dyn Adapter>, guard)`, see [`coordination::fixture::Adapter`].
#[macro_export]
macro_rules! coordination_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, coordination;
            rooms {
                a_room_that_does_not_exist_is_missing,
                an_account_has_one_live_place,
                who_has_left_or_paid_joins_anew,
                guests_are_numbered_and_not_remembered,
                a_refused_join_burns_no_number,
                asking_changes_nothing_and_an_unknown_number_is_refused,
                rooms_open_and_close_by_time_and_the_draw_is_published,
                a_theme_park_admits_exactly_its_setting,
                who_left_is_stepped_over_and_who_comes_back_is_first,
                settings_change_while_people_wait,
            }
            bank {
                a_pass_is_extended_used_up_and_runs_out,
                a_slot_is_reused_within_a_tick,
                never_more_than_allowed_under_two_hundred_clients,
            }
            restarts {
                what_is_not_written_does_not_happen,
                no_number_is_given_twice,
                nobody_moves_back,
                passes_hold_and_the_window_is_not_overfilled,
                an_account_still_has_one_live_place,
            }
        }
    };
}

/// One test of each case; what the contracts share.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($fresh:ident, $contract:ident; $($module:ident { $($case:ident,)* })*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, guard) = super::$fresh().await;
                $crate::$contract::$module::$case(store).await;
                drop(guard);
            })*
        })*
    };
}

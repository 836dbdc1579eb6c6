//! One conformance suite per port, run on every adapter, so that the adapters cannot drift apart.
//!
//! A case is an async function that takes a fresh, empty adapter and panics with what is wrong.
//! [`store_contract!`] and the other macros make one test of each.

pub mod coordination;
pub mod events;
pub mod media;
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
                what_people_have_edited_stays_when_its_source_is_imported_again,
                titles_are_found_however_they_are_written,
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
            bulk {
                others_write_while_a_large_hall_is_added,
                a_hall_that_was_never_completed_is_removed,
                nothing_is_added_to_a_hall_that_was_given_up,
                others_write_while_a_large_hall_changes_its_categories,
                categories_that_changed_half_way_change_when_asked_again,
                portions_of_categories_do_what_one_change_does,
                every_performance_of_a_hall_is_told_of,
                a_long_import_is_complete,
                what_is_told_at_once_is_bounded,
                empty_lists_are_nothing_to_do,
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
                people_are_listed_in_pages,
                the_last_administrator_stays,
                of_two_administrators_who_demote_each_other_one_stays,
                a_refresh_token_rotates_once,
                sessions_end_once,
                ended_sessions_are_listed,
            }
            identities {
                a_subject_has_one_account,
                an_address_that_is_taken_stays_its_owners,
                first_tokens_at_the_same_moment_make_one_account,
                an_address_that_is_said_later_is_taken_over,
                a_closed_account_gives_way_to_a_new_one_only_if_asked,
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
            writers {
                what_is_written_whole_is_kept_in_every_part,
                a_large_batch_is_written_whole,
                what_rests_on_an_old_version_is_a_conflict,
                what_rests_on_old_terms_is_a_conflict,
                a_seat_or_a_key_that_is_taken_is_a_conflict,
                units_that_rest_on_an_old_stock_are_a_conflict,
                nothing_is_proved_without_a_guard,
                a_busy_writer_lets_others_write,
                a_write_that_is_given_up_is_whole_or_not_at_all,
            }
            items {
                items_are_kept_as_they_were_written,
                an_order_for_units_is_kept_in_every_part,
                units_and_seats_go_through_one_batch,
                lapsed_orders_are_loaded_and_yield,
                a_stock_goes_up_and_down_but_not_below_what_is_taken,
                orders_for_units_are_listed_apart,
                an_old_stock_version_is_a_conflict,
                a_stock_never_goes_below_zero,
            }
            rooms {
                a_record_read_back_is_the_one_written,
                a_log_is_read_back_in_order_and_written_by_one_node,
                a_room_that_is_not_there_is_missing,
                one_node_at_a_time_runs_a_room,
                an_offer_is_behind_one_room_at_most,
                changes_are_asked_for_and_answered_once,
            }
            media {
                a_show_has_the_picture_that_it_was_given,
                an_item_has_the_picture_that_it_was_given,
                only_what_nobody_refers_to_is_removed,
                a_picture_in_use_is_never_marked,
                a_picture_is_whose_sent_it_first,
            }
            popularity {
                an_event_counts_once_however_often_it_comes,
                what_is_given_back_is_taken_off_its_day,
                seats_count_for_their_show_among_its_kind,
                the_best_are_sorted_and_limited,
                what_sold_long_ago_is_not_hot,
                counting_at_the_same_moment_loses_nothing,
                charts_are_claimed_by_one_and_published_once,
                what_is_old_is_forgotten,
            }

            owners {
                what_somebody_makes_is_theirs,
                a_performance_and_a_hall_follow_what_they_belong_to,
                a_room_is_of_those_whose_shows_are_behind_it,
                importing_again_does_not_change_hands,
                only_what_has_an_owner_of_its_own_is_given,
            }
            webhooks {
                a_webhook_read_back_is_the_one_written,
                a_webhook_that_is_not_there_is_missing,
                webhooks_are_listed_by_owner_and_if_active,
                a_secret_is_rotated_by_one_alone,
            }
            deliveries {
                a_channel_gets_each_event_once,
                only_the_first_of_each_subject_is_leased,
                a_lease_is_one_nodes_until_it_ends,
                nodes_that_lease_at_once_get_different_deliveries,
                channels_are_due_by_themselves,
                parked_deliveries_wait_again_when_asked,
                what_waits_for_another_attempt_is_due_when_asked_for,
                what_has_been_due_for_long_goes_first_and_is_as_old_as_it_is,
                what_is_over_is_forgotten_after_a_while,
            }

            outbox {
                every_change_of_an_order_is_told_in_order,
                every_order_of_a_batch_is_told_of,
                what_organisers_change_is_told,
                what_is_done_to_stock_seats_and_wallets_is_told,
                a_row_that_becomes_visible_late_is_not_passed_over,
                a_task_is_one_nodes_at_a_time,
                the_log_is_kept_until_everybody_has_passed,
            }
            audits {
                everything_is_read_in_pages,
                orders_are_compared_with_the_terms_they_were_made_on,
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
            seat_locks {
                holds_get_in_between_the_portions_of_a_large_lock,
                in_one_command_a_large_lock_lets_nobody_in,
                portions_do_what_one_command_does,
                a_lock_that_ended_half_way_is_finished_by_asking_again,
                a_lock_goes_on_when_its_caller_hangs_up,
                a_lock_of_a_seat_elsewhere_does_nothing,
            }
            unit_sales {
                five_thousand_buyers_one_item,
                five_thousand_buyers_three_items,
                the_check_alone_prevents_overselling,
                an_order_can_be_paid_the_moment_it_was_answered,
                units_come_back_exactly_once,
                a_time_deal_opens_at_its_moment,
                a_buyer_has_at_most_what_the_rules_allow,
                units_are_released_after_a_restart,
                the_stock_changes_while_it_is_sold,
                two_nodes_sell_one_item,
                two_optimistic_nodes_sell_one_item,
            }
            idempotency {
                same_key_at_the_same_moment,
                same_key_moves_money_once,
                a_key_belongs_to_one_request_of_one_person,
                a_repeated_request_is_answered_as_the_first,
                a_strangers_used_key_is_found,
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
                an_account_cannot_take_numbers_without_end,
                a_guests_pass_becomes_that_of_the_first_account_that_uses_it,
                an_account_among_guests_has_one_live_place,
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
                numbers_that_were_given_up_stay_so,
                what_is_used_up_stays_so,
                a_room_without_a_log_goes_on,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the limiter's contract. `$fresh` is an async function
/// that gives `(Arc<dyn LimiterAdapter>, guard)`, see [`coordination::limits::LimiterAdapter`].
#[macro_export]
macro_rules! limiter_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, coordination;
            limits {
                the_fifty_first_read_of_a_minute_blocks_for_an_hour,
                counts_are_exact_under_a_hundred_clients,
                what_is_taken_back_was_not_counted,
                windows_of_a_key_end_and_begin_anew,
                a_burst_is_followed_by_the_even_pace,
                blocks_that_grow_grow,
                rules_know_nothing_of_one_another,
                blocks_are_listed_and_lifted,
                a_use_is_spent_by_success_alone,
                of_a_hundred_who_take_at_once_one_gets_it,
                a_repeated_request_shares_its_use,
                a_use_that_is_never_settled_lapses,
                a_use_is_taken_back_with_what_was_booked,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the shared cache's contract. `$fresh` is an async
/// function that gives `(Arc<dyn CacheAdapter>, guard)`, see [`coordination::cache::CacheAdapter`].
#[macro_export]
macro_rules! cache_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, coordination;
            cache {
                a_miss_is_loaded_once_however_many_ask,
                what_is_old_is_served_while_one_loads_it_anew,
                a_change_drops_everything_and_is_loaded_once,
                loading_that_fails_is_done_by_the_next,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the locks' contract. `$fresh` is an async function that
/// gives `(Arc<dyn LocksAdapter>, guard)`, see [`coordination::locks::LocksAdapter`].
#[macro_export]
macro_rules! locks_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, coordination;
            locks {
                nobody_is_in_at_the_same_time,
                keys_know_nothing_of_one_another_and_waiting_ends,
                fences_rise,
                a_lock_is_kept_as_long_as_it_is_held,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the broadcast's contract. `$fresh` is an async function
/// that gives `(Arc<dyn BroadcastAdapter>, guard)`, see [`coordination::broadcast::BroadcastAdapter`].
#[macro_export]
macro_rules! broadcast_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, coordination;
            broadcast {
                what_one_tells_all_others_hear,
                what_one_tells_of_accounts_all_others_hear,
                what_is_told_in_a_short_time_is_heard_once,
                who_was_not_listening_hears_what_was_told_meanwhile,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the contract of the way that events go. `$fresh` is an
/// async function that gives `(Arc<dyn Way>, guard)`, see [`events::Way`].
#[macro_export]
macro_rules! transport_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, events;
            deliveries {
                a_lone_consumer_gets_everything_in_order,
                three_share_and_take_over_from_each_other,
                one_that_fails_does_not_stop_the_others,
                a_position_survives_a_restart,
            }
        }
    };
}

/// Makes a `#[tokio::test]` of every case of the contract of pictures' files. `$fresh` is an async
/// function that gives `(Arc<dyn MediaFiles>, guard)`.
#[macro_export]
macro_rules! media_contract {
    ($fresh:ident) => {
        $crate::contract_cases! { $fresh, media;
            files {
                what_was_kept_is_read_back,
                what_was_removed_is_gone,
                a_file_is_there_whole_or_not_at_all,
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

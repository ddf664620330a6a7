//! The list of all cases: the only one.
//!
//! An entry is `name ["RULE" ..] need ..;`. A case of an area may use the operations of `execution`,
//! `claim` and `lease`, which every backend has; whatever else it uses is a need: another area, a
//! `probe`, a `transaction`; three at most.

/// Calls a macro with the whole list after what is given in the second parentheses.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_case {
    (($($callback:tt)*) ($($given:tt)*)) => {
        $($callback)*! {
            ($($given)*)
            execution {
                a_created_execution_is_waiting ["EXEC-1" "STATE-1"];
                an_execution_created_for_later_is_delayed ["EXEC-1"];
                an_execution_created_for_now_is_waiting ["EXEC-1"];
                a_created_execution_keeps_what_it_was_given ["EXEC-1"];
                the_time_of_creation_is_the_callers ["EXEC-1"];
                text_is_kept_as_it_is ["EXEC-1"];
                the_ends_of_a_range_are_kept ["EXEC-1"];
                the_deadline_is_the_sooner_of_two ["EXEC-1"];
                a_policy_is_kept_whole ["EXEC-1"];
                the_same_id_again_is_a_duplicate ["EXEC-2" "SAFE-3"];
                the_same_key_again_is_a_duplicate ["EXEC-2"];
                a_key_belongs_to_its_namespace_and_lane ["EXEC-2"];
                a_key_outlives_the_end_of_its_execution ["EXEC-2"];
                concurrent_creates_with_one_key_make_one ["EXEC-2" "SAFE-4"];
                concurrent_creates_of_one_id_make_one ["EXEC-2" "SAFE-4"];
                an_empty_name_is_refused ["EXEC-3"];
                a_long_name_is_refused ["EXEC-3"];
                a_control_character_in_a_name_is_refused ["EXEC-3"];
                too_many_tags_are_refused ["EXEC-3"];
                a_bad_tag_key_is_refused ["EXEC-3"];
                a_bad_tag_value_is_refused ["EXEC-3"];
                a_large_payload_is_refused ["EXEC-3"];
                a_partition_beyond_the_store_is_refused ["EXEC-3"];
                too_many_capabilities_are_refused ["EXEC-3"];
                a_policy_that_cannot_be_kept_is_refused ["EXEC-3"];
                a_batch_of_creations_answers_in_order ["EXEC-4"];
                a_bad_item_keeps_its_batch_out ["EXEC-4" "SAFE-1"];
                a_batch_without_end_is_refused ["EXEC-4"];
                an_empty_batch_of_creations_is_fine ["EXEC-4"];
                a_large_batch_is_created_whole ["EXEC-4"];
                overlapping_batches_create_each_execution_once ["EXEC-4" "SAFE-4"];
                a_creation_joins_a_transaction_that_commits ["EXEC-5"] transaction;
                a_creation_leaves_with_a_transaction_that_rolls_back ["EXEC-5"] transaction;
                a_bad_creation_is_refused_in_a_transaction ["EXEC-3" "EXEC-5"] transaction;
                completing_finishes_the_execution ["FIN-1" "STATE-1"];
                an_empty_result_is_a_result ["FIN-1"];
                a_completed_execution_is_not_claimed_again ["FIN-1"];
                a_large_result_is_refused ["EXEC-3" "FIN-1"];
                completing_again_changes_nothing ["FIN-5" "SAFE-3"];
                completing_again_with_another_result_is_refused ["FIN-5"];
                failing_after_completing_is_refused ["FIN-5"];
                a_stale_completion_does_not_hold_up_its_batch ["FIN-7"];
                a_batch_may_complete_one_handle_twice ["FIN-5" "FIN-7"];
                a_stale_failure_does_not_hold_up_its_batch ["FIN-7"];
                empty_batches_of_endings_are_fine ["FIN-7"];
                a_large_batch_completes_whole ["FIN-7"];
                of_racing_endings_one_wins ["FIN-5" "SAFE-4"];
                an_unknown_execution_cannot_be_finished ["FIN-1"];
                a_retryable_failure_schedules_another_attempt ["FIN-2" "STATE-1"];
                a_retry_without_backoff_is_eligible_at_once ["FIN-2"];
                a_retry_waits_for_its_time ["FIN-2"];
                a_permanent_failure_ends_the_execution ["FIN-3" "STATE-1"];
                a_spent_budget_ends_the_execution ["FIN-3"];
                a_failure_of_class_cancelled_ends_as_cancelled ["FIN-3" "STATE-1"];
                an_attempt_keeps_why_it_failed ["FIN-2" "FIN-3"];
                a_reason_with_a_nul_is_stored ["FIN-3" "SAFE-1"];
                a_large_reason_is_refused ["EXEC-3" "FIN-3"];
                without_a_policy_there_are_three_retries ["FIN-4"];
                a_backoff_stops_at_its_limit ["FIN-4"];
                jitter_follows_from_the_execution_and_the_attempt ["FIN-4"];
                a_backoff_never_overflows ["FIN-4"];
                a_policy_narrows_what_is_retried ["FIN-4"];
                failing_again_changes_nothing ["FIN-5" "SAFE-3"];
                another_ending_after_a_failure_is_refused ["FIN-5"];
                a_late_ending_leaves_the_successor_alone ["FIN-5" "SAFE-6"];
                an_unknown_execution_is_none ["READ-1"];
                an_unknown_execution_is_not_found ["READ-1"];
                a_description_holds_the_lease ["READ-1"];
                attempts_are_listed_in_order ["READ-1"];
                outcomes_are_read_in_the_order_asked_for ["READ-1"];
                an_outcome_has_the_error_of_the_current_attempt ["READ-1"];
                a_result_is_there_once_the_execution_completed ["READ-1"];
                a_second_process_sees_what_the_first_did ["READ-1" "SAFE-1"];
                a_reader_never_sees_half_an_operation ["READ-1" "STATE-1"];
                between_two_attempts_there_is_no_current_one ["READ-1"];
                a_namespace_filters_a_list ["READ-1"];
                a_lane_filters_a_list ["READ-1"];
                a_state_filters_a_list ["READ-1"];
                a_kind_filters_a_list ["READ-1"];
                a_tag_filters_a_list ["READ-1"];
                times_filter_a_list ["READ-1"];
                filters_narrow_each_other ["READ-1"];
                pages_hold_everything_once ["READ-1"];
                pages_are_stable_while_executions_come_and_go ["READ-1"];
                only_a_full_page_has_a_cursor ["READ-1"];
                a_bad_list_is_refused ["EXEC-3" "READ-1"];
                executions_are_counted_by_lane_and_state ["READ-1"];
                stored_words_agree_along_a_whole_life ["STATE-1"] timer probe;
                stored_words_agree_at_every_end ["STATE-1"] timer probe;
                a_repeated_batch_of_creations_makes_nothing ["SAFE-3"];
                a_repeated_report_stores_the_same ["SAFE-3"];
                a_repeated_claim_takes_other_work ["SAFE-3"];
                many_tasks_at_few_executions_get_typed_answers ["SAFE-4" "SAFE-5"] timer event;
                lanes_do_not_disturb_each_other ["SAFE-4"];
                a_dropped_creation_can_be_repeated ["SAFE-2"];
                a_dropped_claim_takes_all_or_nothing ["SAFE-2"];
                a_dropped_ending_can_be_repeated ["SAFE-2"];
                a_dropped_renewal_leaves_the_lease_in_force ["SAFE-2"];
                a_dropped_delay_is_done_or_not_done ["SAFE-2"];
                a_dropped_read_holds_nothing_up ["SAFE-2"];
                a_dropped_sweep_is_finished_by_the_next ["SAFE-2"] timer;
                many_aborted_calls_leave_the_store_usable ["SAFE-2"];
                a_row_of_another_program_runs_like_any_other ["EXEC-1" "CLAIM-1"] probe;
                older_words_are_read ["STATE-1" "SAFE-7"] probe;
                older_words_are_found_and_counted ["STATE-1"] probe;
                older_words_are_never_written ["STATE-1"] probe;
                an_unknown_word_is_named ["SAFE-7"] probe;
                an_unknown_word_stops_calls_by_handle ["SAFE-7"] probe;
                a_number_out_of_range_is_named ["SAFE-7"] probe;
            }
            claim {
                the_highest_priority_is_claimed_first ["CLAIM-1"];
                the_oldest_is_claimed_first ["CLAIM-1"];
                ties_are_broken_by_id ["CLAIM-1"];
                a_retry_keeps_its_place_in_the_queue ["CLAIM-1"];
                an_empty_lane_gives_nothing ["CLAIM-1"];
                a_lane_gives_only_its_own ["CLAIM-1"];
                a_worker_gets_what_it_can_run ["CLAIM-1"];
                a_worker_with_capabilities_gets_plain_work_too ["CLAIM-1"];
                what_nobody_can_take_delays_nothing ["CLAIM-4"];
                a_delayed_execution_is_claimed_from_its_time_on ["CLAIM-1"];
                a_due_execution_stands_in_its_place ["CLAIM-1"];
                an_expired_execution_is_not_claimed ["CLAIM-1"] timer;
                a_bad_claim_is_refused ["CLAIM-1" "EXEC-3"];
                a_claim_makes_the_execution_run ["CLAIM-2" "STATE-1"];
                a_handle_says_what_the_claim_gave ["CLAIM-2"];
                a_lease_on_a_stored_attempt_has_the_next_epoch ["CLAIM-2"] probe;
                the_first_claim_sets_when_the_execution_started ["CLAIM-3"];
                a_retry_does_not_change_when_the_execution_started ["CLAIM-3"];
                a_reclaim_does_not_change_when_the_execution_started ["CLAIM-3"] timer;
                a_delay_does_not_change_when_the_execution_started ["CLAIM-3"];
                first_claim_sets_started_at_once ["CLAIM-3"] timer operator;
                first_claim_makes_the_public_state_running ["CLAIM-2" "STATE-1"];
                what_was_never_claimed_never_started ["CLAIM-3"] timer;
                a_lease_lasts_as_long_as_its_claim_asked_for ["CLAIM-2"];
                a_batch_takes_what_it_asks_for ["CLAIM-6"];
                the_lanes_of_a_batch_are_one_queue ["CLAIM-6"];
                a_lane_named_twice_gives_nothing_twice ["CLAIM-6"];
                a_batch_brings_what_handlers_need ["CLAIM-6"];
                a_claimed_execution_counts_its_attempts ["CLAIM-6"];
                a_large_batch_is_claimed_whole ["CLAIM-6"];
                a_bad_batch_is_refused ["CLAIM-6" "EXEC-3"];
                concurrent_claimers_never_share ["CLAIM-1" "SAFE-4"];
                concurrent_batches_never_share ["CLAIM-1" "CLAIM-6" "SAFE-4"];
                two_processes_never_share ["CLAIM-1" "SAFE-4"];
                a_reclaimed_execution_has_one_next_holder ["CLAIM-1" "LEASE-2"] timer;
                a_waiting_claim_gets_what_is_created ["CLAIM-5"];
                a_waiting_claim_gets_what_another_process_creates ["CLAIM-5"];
                a_waiting_claim_gets_what_is_given_back ["CLAIM-5"];
                a_waiting_claim_gets_what_becomes_due ["CLAIM-5"];
                a_waiting_claim_ends_with_nothing ["CLAIM-5"];
                a_claim_with_work_does_not_wait ["CLAIM-5"];
                a_waiting_batch_comes_back_with_what_there_is ["CLAIM-5" "CLAIM-6"];
                one_of_several_waiting_claims_gets_the_work ["CLAIM-5"];
                a_claim_dropped_while_it_waits_takes_nothing ["CLAIM-5" "SAFE-2"];
                a_paused_lane_gives_nothing ["CLAIM-1"] admin;
                a_resumed_lane_gives_what_waited ["CLAIM-1"] admin;
                a_paused_lane_lets_its_leases_go_on ["LEASE-1"] admin;
                a_corrupt_row_delays_no_claim ["CLAIM-1" "SAFE-7"] probe;
            }
            lease {
                renewing_moves_the_expiry ["LEASE-3"];
                a_renewed_lease_holds_for_its_new_time ["LEASE-3"];
                a_renewed_lease_is_not_swept ["LEASE-3"] timer;
                a_batch_of_renewals_says_which_were_lost ["LEASE-3"];
                a_batch_may_renew_one_handle_twice ["LEASE-3"];
                progress_is_stored_on_its_attempt ["LEASE-1"];
                a_report_of_null_takes_the_earlier_back ["LEASE-1"];
                progress_outlives_its_attempt ["LEASE-1"];
                progress_does_not_renew ["LEASE-2"];
                deeply_nested_progress_is_refused ["EXEC-3" "LEASE-1"];
                a_large_report_is_refused ["EXEC-3" "LEASE-1"];
                an_expired_lease_allows_nothing ["LEASE-2"];
                a_lease_holds_until_its_last_millisecond ["LEASE-2"];
                a_swept_lease_stays_expired ["LEASE-2"] timer;
                a_reclaimed_lease_allows_nothing ["LEASE-2" "SAFE-5"] timer;
                a_lost_lease_stays_lost_after_the_end ["LEASE-2"] timer;
                a_clock_that_goes_back_revives_no_lease ["LEASE-2"] timer;
                a_lease_given_back_allows_nothing ["FIN-6" "SAFE-5"];
                a_lease_past_the_deadline_allows_nothing ["SAFE-5"] timer;
                another_epoch_is_refused ["LEASE-1"];
                an_older_epoch_is_refused ["LEASE-1"] probe;
                another_attempt_is_refused ["LEASE-1"];
                another_process_is_refused ["LEASE-1"];
                a_reused_worker_id_does_not_finish_for_its_predecessor ["LEASE-1"];
                a_handle_of_another_backend_is_refused ["LEASE-1"];
                a_handle_survives_being_handed_on ["LEASE-1"];
                a_handle_proves_one_execution ["LEASE-1"];
                an_execution_that_is_not_active_takes_no_writes ["SAFE-6"] probe;
                giving_back_delays_the_execution ["FIN-6" "STATE-1"];
                what_was_given_back_is_claimed_from_its_time_on ["FIN-6"];
                any_time_may_be_given_back_until ["FIN-6"];
                giving_back_spends_no_retries ["FIN-6"];
            }
            timer {
                an_expired_lease_gives_the_execution_back ["TIME-1" "STATE-1"];
                a_lease_that_holds_is_left_alone ["TIME-1"];
                a_reclaim_makes_a_new_attempt ["TIME-1"];
                an_execution_that_loses_its_workers_too_often_fails ["TIME-1"];
                without_a_policy_a_hundred_workers_may_be_lost ["TIME-1"];
                an_ended_lease_is_not_swept ["TIME-1" "FIN-1"];
                a_due_execution_is_promoted ["TIME-2" "STATE-1"];
                an_execution_that_is_not_due_is_left_alone ["TIME-2"];
                a_due_retry_is_promoted ["TIME-2" "FIN-2"];
                a_claimed_execution_is_not_promoted ["TIME-2"];
                an_attempt_that_runs_too_long_is_retried ["TIME-3" "STATE-1"];
                a_timeout_without_retries_fails_the_execution ["TIME-3"];
                an_attempt_has_its_whole_time ["TIME-3"];
                renewing_does_not_lengthen_an_attempt ["TIME-3"];
                the_time_of_an_attempt_begins_with_its_claim ["TIME-3"];
                a_timed_out_attempt_cannot_be_finished ["TIME-3" "SAFE-5"];
                a_waiting_execution_expires ["TIME-4" "STATE-1"];
                a_running_execution_expires ["TIME-4" "STATE-1"];
                an_execution_between_attempts_expires ["TIME-4"];
                a_delayed_execution_expires ["TIME-4"];
                only_what_is_late_expires ["TIME-4"];
                without_a_retention_everything_is_kept ["TIME-7"];
                a_finished_execution_is_kept_for_its_retention ["TIME-7"] admin;
                an_execution_goes_with_all_its_rows ["TIME-7"] admin probe;
                a_key_is_free_when_its_execution_is_gone ["TIME-7" "EXEC-2"] admin;
                only_finished_executions_of_the_namespace_go ["TIME-7"] admin;
                a_retention_can_be_taken_back ["TIME-7"] admin;
                a_retention_never_overflows ["TIME-7"] admin;
                a_retention_of_no_namespace_is_refused ["EXEC-3" "TIME-7"] admin;
                a_sweep_keeps_to_its_limit ["TIME-8"] admin;
                each_row_is_acted_on_once ["TIME-8" "SAFE-4"] admin;
                different_tasks_at_once_agree ["TIME-8" "SAFE-4"] admin;
                a_repeated_sweep_does_nothing ["TIME-8"] admin;
                a_corrupt_row_does_not_hold_up_a_sweep ["TIME-8" "SAFE-7"] probe;
                a_limit_out_of_range_is_refused ["TIME-8"];
                a_sweep_of_an_empty_store_does_nothing ["TIME-8"];
            }
            event {
                creating_records_nothing ["EXEC-1"];
                a_plain_life_has_two_events ["CLAIM-2" "FIN-1"];
                only_the_last_failure_is_a_completion ["FIN-2" "FIN-3"];
                giving_up_is_a_completion ["FIN-3"];
                giving_back_is_told ["FIN-6"];
                an_expired_lease_is_told ["TIME-1"] timer;
                a_promotion_records_nothing ["TIME-2"] timer;
                a_timeout_completes_when_it_is_the_last ["TIME-3"] timer;
                an_expiry_is_a_completion ["TIME-4"] timer;
                each_execution_has_its_own_events ["SAFE-1"];
                batches_tell_of_each_item ["CLAIM-6" "FIN-7"];
                a_repeated_ending_records_nothing_twice ["FIN-5" "SAFE-3"];
                a_refused_call_records_nothing ["SAFE-1" "LEASE-2"];
                a_duplicate_records_nothing ["EXEC-2" "SAFE-3"];
                every_ending_is_one_completion ["SAFE-5"] timer;
                racing_endings_are_one_completion ["SAFE-5" "TIME-8"] timer;
                every_lease_is_told_once ["SAFE-1"];
                a_dropped_ending_is_told_when_it_is_done ["SAFE-2"];
                a_stream_is_read_in_pages_without_a_gap ["EVT-1"];
                a_subscriber_goes_on_from_its_cursor ["EVT-1"];
                each_stream_has_its_own_events ["EVT-1"];
                an_event_carries_what_its_execution_has ["EVT-1"];
                the_end_of_a_stream_is_empty ["EVT-1"];
                a_limit_outside_its_range_is_refused ["EVT-1"];
                a_reopened_store_reads_on_from_the_cursor ["EVT-1"];
                a_cursor_outlives_its_event ["EVT-1" "TIME-7"] timer admin;
                a_subscriber_beside_concurrent_finishers_sees_each_once ["EVT-1"];
                a_lower_id_that_commits_last_is_not_missed ["EVT-1"] probe;
            }
            operator {
                cancelling_what_waits_finishes_it ["OP-1" "STATE-1"];
                a_delayed_execution_can_be_cancelled ["OP-1"];
                cancelling_takes_the_lease ["OP-1" "SAFE-5"];
                a_claimed_execution_tells_of_its_cancellation ["OP-1"] event;
                what_nobody_holds_tells_of_no_lease ["OP-1"] event;
                who_cancelled_and_why_is_stored ["OP-1"];
                a_long_reason_is_refused ["OP-1" "EXEC-3"];
                cancelling_again_records_nothing ["OP-1" "SAFE-3"] event;
                cancelling_what_has_finished_says_how ["OP-1"] timer event;
                what_its_worker_gave_up_is_cancelled_already ["OP-1"] event;
                an_unknown_execution_cannot_be_cancelled ["OP-1"];
                only_an_operator_cancels_a_lease_without_its_epoch ["OP-2"];
                a_stale_epoch_does_not_cancel ["OP-2"];
                a_lease_holder_cancels_with_its_epoch ["OP-2"];
                the_lease_of_an_earlier_attempt_does_not_cancel ["OP-2"] timer;
                no_epoch_is_asked_where_there_is_no_lease ["OP-2"];
                a_leased_row_without_attempt_can_be_cancelled ["OP-1" "STATE-1"] event probe;
                revoking_gives_the_execution_back ["OP-3" "STATE-1"];
                a_revoked_lease_is_lost ["OP-3" "SAFE-5"];
                a_revocation_is_told_once ["OP-3"] event;
                without_a_lease_there_is_nothing_to_revoke ["OP-3" "SAFE-3"];
                another_lease_is_not_revoked ["OP-3"];
                a_lease_is_revoked_by_its_id ["OP-3"];
                an_expired_lease_can_be_revoked ["OP-3"];
                a_lease_id_is_derived_from_its_lease ["OP-3"];
                a_bad_revocation_is_refused ["OP-3"];
                checking_leases_changes_none ["FLOW-7" "LEASE-2"];
                a_changed_priority_moves_the_execution ["OP-4"] timer;
                a_changed_priority_is_told ["OP-4"] timer event;
                a_repeated_change_records_nothing ["OP-4" "SAFE-3"] timer event;
                what_was_just_submitted_cannot_be_moved ["OP-4"] timer;
                admission_keeps_the_order_of_the_queue ["OP-4" "CLAIM-1"] timer;
                what_is_retried_can_be_moved ["OP-4"];
                what_does_not_wait_cannot_be_moved ["OP-4"];
                the_ends_of_the_range_are_priorities ["OP-4"] timer;
                a_replayed_execution_waits_again ["OP-5" "STATE-1"];
                a_replay_is_another_attempt ["OP-5"] event;
                a_replay_is_told ["OP-5"] event;
                what_was_cancelled_can_be_replayed ["OP-5"];
                a_replay_has_its_retries_anew ["OP-5" "FIN-2"];
                a_deadline_that_has_passed_does_not_end_a_replay ["OP-5" "TIME-4"] timer;
                what_has_not_finished_cannot_be_replayed ["OP-5"];
                replays_are_limited_by_the_policy ["OP-5"];
                a_skipped_member_waits_for_its_dependencies ["OP-6" "STATE-1"] event probe;
                what_was_skipped_outside_a_flow_waits ["OP-6"] probe;
                a_member_that_ran_waits ["OP-6"] probe;
                concurrent_cancels_record_one ["OP-7" "SAFE-4"] event;
                a_cancel_against_a_completion_has_one_winner ["OP-1" "OP-7" "SAFE-5"] event;
                concurrent_revocations_take_one_lease ["OP-3" "OP-7"] event;
                concurrent_replays_make_one ["OP-5" "OP-7"];
                concurrent_changes_of_priority_record_one ["OP-4" "OP-7"] timer event;
            }
            flow {
                a_created_flow_is_open ["FLOW-1"];
                the_same_flow_again_is_a_duplicate ["FLOW-1" "SAFE-3"];
                a_bad_flow_is_refused ["FLOW-1" "EXEC-3"];
                a_member_raises_the_revision ["FLOW-1"];
                a_member_again_changes_nothing ["FLOW-1" "SAFE-3"];
                a_member_of_another_flow_is_refused ["FLOW-1"];
                what_is_unknown_makes_no_member ["FLOW-1" "FLOW-8"];
                a_cancelled_flow_takes_no_member ["FLOW-4"];
                concurrent_additions_each_raise_the_revision ["FLOW-1" "SAFE-4"];
                flows_are_listed_in_pages ["FLOW-1"];
                a_list_of_flows_can_be_narrowed ["FLOW-1"];
                members_are_listed_in_pages ["FLOW-1"];
                cancelling_a_flow_cancels_its_members ["FLOW-2" "STATE-1"];
                a_cancelled_flow_keeps_how_and_when ["FLOW-2"];
                members_tell_of_their_cancellation ["FLOW-2" "SAFE-5"] event;
                the_worker_of_a_cancelled_member_has_lost_its_lease ["FLOW-2" "FLOW-7" "SAFE-5"] operator;
                cancel_flow_clears_the_current_attempts_outcome ["FLOW-3"] probe;
                earlier_attempts_keep_their_outcome ["FLOW-3"];
                cancelling_what_is_pending_spares_what_is_held ["FLOW-4"];
                cancelling_the_flow_alone_leaves_its_members ["FLOW-4"];
                cancelling_a_flow_again_changes_nothing ["FLOW-2" "SAFE-3"] event;
                the_first_policy_holds ["FLOW-2"];
                an_unknown_flow_cannot_be_cancelled ["FLOW-8"];
                a_member_between_two_attempts_is_cancelled ["FLOW-2"];
                a_cancelled_member_can_be_replayed ["FLOW-2" "OP-5"] operator;
                a_large_flow_is_cancelled_whole ["FLOW-9"] operator probe;
                a_flow_of_another_program_is_cancelled ["FLOW-2" "STATE-1"] event probe;
                a_flow_that_has_finished_is_not_cancelled ["FLOW-2"] probe;
                a_corrupt_member_holds_up_no_other ["FLOW-2" "SAFE-7"] probe;
                a_flow_in_no_known_state_is_corrupt ["SAFE-7"] probe;
                a_bare_attempt_is_cancelled_with_its_flow ["FLOW-2"] event probe;
                a_cancellation_by_name_records_its_members ["FLOW-5"] probe;
                a_cancellation_by_name_is_told ["FLOW-5" "EVT-1"] event;
                a_spared_member_is_not_recorded ["FLOW-5" "FLOW-4"] probe;
                another_policy_is_refused ["FLOW-5"];
                a_repeated_cancellation_says_who_has_not_let_go ["FLOW-5" "SAFE-3"];
                a_finished_flow_was_not_cancelled ["FLOW-5"] probe;
                the_last_acknowledgement_takes_the_flow_off ["FLOW-6"] probe;
                what_is_not_in_the_backlog_may_be_acknowledged ["FLOW-6" "SAFE-3"] probe;
                concurrent_acknowledgements_leave_nothing ["FLOW-6" "SAFE-4"] probe;
                members_without_worker_are_let_go ["TIME-6"] timer worker probe;
                a_lapsed_worker_is_gone ["TIME-6" "WORK-2"] timer worker;
                a_drain_keeps_to_its_limit ["TIME-6" "TIME-8"] timer probe;
                nothing_held_is_nothing_to_wait_for ["FLOW-8"];
                a_wait_ends_when_every_worker_has_let_go ["FLOW-8"];
                a_wait_that_is_over_is_a_time_out ["FLOW-8"];
                a_wait_ends_when_the_workers_are_gone ["FLOW-8" "TIME-6"] timer;
                a_cancellation_by_name_can_be_waited_for ["FLOW-8" "FLOW-5"];
                who_does_not_wait_leaves_no_backlog ["FLOW-5" "FLOW-8"] probe;
                concurrent_cancellations_of_a_flow_act_once ["OP-7" "SAFE-4"] event;
                concurrent_cancellations_by_name_act_once ["FLOW-5" "OP-7"];
                members_that_finish_meanwhile_end_once ["FLOW-2" "SAFE-4" "SAFE-5"] event;
                an_addition_meanwhile_is_cancelled_or_refused ["FLOW-4" "SAFE-4"];
            }
            worker {
                a_registered_worker_is_listed ["WORK-1"];
                registering_again_refreshes ["WORK-1" "SAFE-3"];
                an_instance_of_another_worker_is_refused ["WORK-1"];
                concurrent_registrations_register_once ["WORK-1" "SAFE-4"];
                a_bad_registration_is_refused ["WORK-1" "EXEC-3"];
                a_heartbeat_extends_a_workers_life ["WORK-2"];
                a_late_heartbeat_is_told_so ["WORK-2"];
                heartbeats_are_recorded_once_a_minute ["WORK-2"] probe;
                a_dead_worker_leaves_the_registry ["WORK-3"] probe;
                a_worker_dies_once ["WORK-3" "SAFE-3"] probe;
                a_reason_of_death_beyond_the_limit_is_refused ["WORK-3"];
                a_dead_worker_may_come_back ["WORK-3" "SAFE-3"];
                workers_are_listed_by_instance_and_namespace ["WORK-5"];
                a_page_is_never_cut_within_an_instance ["WORK-5"];
                a_namespaces_workers_are_listed_in_pages ["WORK-5"];
                a_list_of_workers_begins_after_any_text ["WORK-5"];
                a_silent_worker_leaves_the_registry ["TIME-5"] timer probe;
                a_sweep_of_workers_keeps_to_its_limit ["TIME-5" "TIME-8"] timer;
                concurrent_sweeps_take_each_worker_once ["TIME-5" "TIME-8" "SAFE-4"] timer probe;
                an_expired_lease_is_listed ["WORK-4"];
                a_lease_that_has_ended_is_not_listed ["WORK-4"] timer;
                expired_leases_are_listed_by_expiry_and_id ["WORK-4"];
                many_leases_of_one_expiry_are_listed_in_pages ["WORK-4"];
                a_page_of_expired_leases_has_its_limits ["WORK-4"];
                expired_leases_can_be_narrowed_to_a_namespace ["WORK-4"];
                a_bare_attempt_is_no_lease ["WORK-4"] probe;
            }
            admin {
                lanes_are_listed_by_name ["READ-1"];
                the_lanes_of_a_batch_are_listed ["READ-1" "EXEC-4"];
                pausing_and_resuming_may_be_repeated ["SAFE-3"];
                a_lane_stays_paused ["CLAIM-1"];
                a_bad_lane_is_refused ["EXEC-3"];
                the_backend_tells_the_time ["READ-1"];
                a_store_may_be_prepared_again ["SAFE-3"];
                a_shutdown_keeps_what_was_accepted ["SAFE-1"];
                a_shutdown_may_be_repeated ["SAFE-3"];
            }
        }
    };
}

macro_rules! index {
    (
        ()
        $($area:ident { $($name:ident [$($rule:literal)*] $($need:ident)*;)* })*
    ) => {
        /// The cases by path, so that a name that is not a case does not compile.
        #[allow(
            non_upper_case_globals,
            missing_docs,
            reason = "a case has one name, that of its function"
        )]
        pub mod index {
            $(
                pub mod $area {
                    $(
                        pub static $name: $crate::Case = $crate::Case {
                            area: stringify!($area),
                            name: stringify!($name),
                            rules: &[$($rule),*],
                            needs: &[$(stringify!($need)),*],
                            body: |cx| Box::pin($crate::cases::$area::$name(cx)),
                        };
                    )*
                }
            )*

            /// What a backend may lack.
            pub mod lacks {
                pub const probe: () = ();
                pub const transaction: () = ();
                $(pub const $area: () = ();)*
            }
        }

        static CASES: &[&crate::Case] = &[$($(&index::$area::$name),*),*];
    };
}

__for_each_case! { (index) () }

/// Every case, by area.
pub fn cases() -> &'static [&'static crate::Case] {
    CASES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::cases;

    #[test]
    fn every_case_names_a_rule_and_no_case_is_listed_twice() {
        let mut paths = BTreeSet::new();
        for case in cases() {
            assert!(!case.rules.is_empty(), "{} proves no rule", case.path());
            assert!(paths.insert(case.path()), "{} is listed twice", case.path());
        }
    }

    #[test]
    fn every_rule_of_these_areas_has_a_case() {
        let proved: BTreeSet<&str> = cases().iter().flat_map(|case| case.rules).copied().collect();
        let numbered = [
            ("EXEC", 5),
            ("CLAIM", 6),
            ("LEASE", 3),
            ("FIN", 7),
            ("TIME", 8),
            ("OP", 7),
            ("FLOW", 9),
            ("WORK", 5),
            ("SAFE", 7),
        ];
        let mut rules: Vec<String> = numbered
            .iter()
            .flat_map(|(area, last)| (1..=*last).map(move |number| format!("{area}-{number}")))
            .collect();
        rules.extend(["STATE-1", "READ-1", "EVT-1"].map(str::to_owned));
        let missing: Vec<_> = rules.iter().filter(|rule| !proved.contains(rule.as_str())).collect();
        assert!(missing.is_empty(), "no case proves {missing:?}");
    }
}

-- Less to write for each claim and each ending, and less to walk past.

-- In one direction, so that a claim can begin in the middle of a queue, past what was claimed before.
DROP INDEX ff_exec_core_claimable;
CREATE INDEX ff_exec_core_claimable ON ff_exec_core (
    lane_id, hash_array_extended(required_capabilities, 0), (-(priority::bigint)), created_at_ms,
    execution_id, partition_key
)
    WHERE lifecycle_phase IN ('submitted', 'runnable') AND eligibility_state = 'eligible_now';

-- What is held, by what a renewal does not touch. It lies with the executions, whose rows change their indexes
-- anyway: the ending of an attempt then changes none.
DROP INDEX ff_attempt_open;
CREATE INDEX ff_exec_core_active
    ON ff_exec_core (started_at_ms)
    WHERE lifecycle_phase = 'active';

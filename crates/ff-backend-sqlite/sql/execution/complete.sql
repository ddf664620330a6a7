-- $1: JSON array of leases with results, $2: now
-- Every look into a document reads it from its beginning.
WITH item AS MATERIALIZED (
    SELECT
        value ->> 'partition_key' AS partition_key,
        unhex(value ->> 'execution_id', '-') AS execution_id,
        value ->> 'attempt_index' AS attempt_index,
        value ->> 'lease_epoch' AS lease_epoch,
        value ->> 'worker_instance_id' AS worker_instance_id,
        unhex(value ->> 'result') AS result
    FROM json_each($1)
),
-- By itself, so that the update takes the rows one by one and does not look for them the other way round.
held AS MATERIALIZED (
    SELECT e.rowid AS row_id, item.result
    FROM item
    CROSS JOIN ff_exec_core AS e
        ON e.partition_key = item.partition_key AND e.execution_id = item.execution_id
    CROSS JOIN ff_attempt AS a
        ON a.partition_key = item.partition_key
        AND a.execution_id = item.execution_id
        AND a.attempt_index = item.attempt_index
    WHERE e.attempt_index = item.attempt_index
        AND e.lifecycle_phase = 'active'
        AND a.lease_epoch = item.lease_epoch
        AND a.worker_instance_id = item.worker_instance_id
        AND a.outcome IS NULL
        AND a.lease_expires_at_ms > $2
)
UPDATE ff_exec_core AS e
SET lifecycle_phase = 'terminal',
    ownership_state = 'unowned',
    eligibility_state = 'not_applicable',
    public_state = 'completed',
    attempt_state = 'attempt_terminal',
    blocking_reason = NULL,
    eligible_at_ms = NULL,
    terminal_at_ms = $2,
    result = held.result
FROM held
WHERE e.rowid = held.row_id
RETURNING rowid AS row_id, partition_key, execution_id;

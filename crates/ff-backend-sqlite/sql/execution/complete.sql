-- $1: JSON array of leases with results, $2: now
UPDATE ff_exec_core AS e
SET lifecycle_phase = 'terminal',
    ownership_state = 'unowned',
    eligibility_state = 'not_applicable',
    public_state = 'completed',
    attempt_state = 'attempt_terminal',
    blocking_reason = NULL,
    eligible_at_ms = NULL,
    terminal_at_ms = $2,
    result = unhex(item.value ->> 'result')
FROM json_each($1) AS item
CROSS JOIN ff_attempt AS a
WHERE e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
    AND e.attempt_index = item.value ->> 'attempt_index'
    AND e.lifecycle_phase = 'active'
    AND a.partition_key = item.value ->> 'partition_key'
    AND a.execution_id = unhex(item.value ->> 'execution_id', '-')
    AND a.attempt_index = item.value ->> 'attempt_index'
    AND a.lease_epoch = item.value ->> 'lease_epoch'
    AND a.worker_instance_id = item.value ->> 'worker_instance_id'
    AND a.outcome IS NULL
    AND a.lease_expires_at_ms > $2
RETURNING partition_key, execution_id;

-- $1: JSON array of leases whose executions were completed just now, $2: now
UPDATE ff_attempt AS a
SET outcome = 'success', terminal_at_ms = $2, lease_expires_at_ms = NULL
FROM json_each($1) AS item
WHERE a.partition_key = item.value ->> 'partition_key'
    AND a.execution_id = unhex(item.value ->> 'execution_id', '-')
    AND a.attempt_index = item.value ->> 'attempt_index';

-- $1: now, $2: limit
-- Members of backlogs that no worker which lives can let go, or whose lease would have ended by now, and, without a
-- member, backlogs that have none. What was replayed is in other hands.
SELECT b.partition_key, b.flow_id, m.execution_id
FROM ff_cancel_backlog AS b
LEFT JOIN ff_cancel_backlog_member AS m
    ON m.partition_key = b.partition_key AND m.flow_id = b.flow_id
LEFT JOIN ff_exec_core AS e
    ON e.flow_id = m.flow_id
    AND e.execution_id = m.execution_id
    AND e.lifecycle_phase = 'cancelled'
LEFT JOIN ff_attempt AS a
    ON a.partition_key = e.partition_key
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
WHERE m.held_until_ms <= $1 OR NOT EXISTS (
    SELECT FROM ff_worker_registry AS w
    WHERE w.worker_instance_id = a.worker_instance_id
        AND w.last_heartbeat_ms > $1 - greatest(w.liveness_ttl_ms, 0)
)
LIMIT $2
FOR UPDATE OF b SKIP LOCKED;

-- $1: now, $2: limit
-- Members of backlogs that no worker which lives can let go, or whose lease would have ended by now, and, without a
-- member, backlogs that have none. What was replayed is in other hands.
SELECT hex(m.flow_id) AS flow_id, hex(m.execution_id) AS execution_id
FROM ff_cancel_backlog_member AS m
WHERE m.partition_key = 0
    AND (m.held_until_ms <= $1 OR NOT EXISTS (
        SELECT 1
        FROM ff_exec_core AS e
        CROSS JOIN ff_attempt AS a
        CROSS JOIN ff_worker_registry AS w
        WHERE e.flow_id = m.flow_id
            AND e.execution_id = m.execution_id
            AND e.lifecycle_phase = 'cancelled'
            AND a.partition_key = e.partition_key
            AND a.execution_id = e.execution_id
            AND a.attempt_index = e.attempt_index
            AND w.worker_instance_id = a.worker_instance_id
            AND w.last_heartbeat_ms > $1 - w.liveness_ttl_ms
    ))
UNION ALL
SELECT hex(b.flow_id), NULL
FROM ff_cancel_backlog AS b
WHERE b.partition_key = 0
    AND NOT EXISTS (
        SELECT 1 FROM ff_cancel_backlog_member AS m
        WHERE m.partition_key = b.partition_key AND m.flow_id = b.flow_id
    )
LIMIT ($2 + 0);

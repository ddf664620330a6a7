-- $1: now, $2: limit
-- Those that cannot be read come last.
SELECT
    worker_id, worker_instance_id, namespace, lanes, capabilities, last_heartbeat_ms, liveness_ttl_ms,
    registered_at_ms
FROM ff_worker_registry
WHERE last_heartbeat_ms < $1 - greatest(liveness_ttl_ms, 0)
ORDER BY liveness_ttl_ms < 0
LIMIT $2
FOR UPDATE SKIP LOCKED;

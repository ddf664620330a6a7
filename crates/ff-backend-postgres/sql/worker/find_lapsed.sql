-- $1: now, $2: cursor's namespace, $3: cursor's worker instance, $4: limit
SELECT
    worker_id, worker_instance_id, namespace, lanes, capabilities, last_heartbeat_ms, liveness_ttl_ms,
    registered_at_ms
FROM ff_worker_registry
WHERE (namespace, worker_instance_id) > ($2::text, $3::text)
    AND last_heartbeat_ms < $1 - greatest(liveness_ttl_ms, 0)
ORDER BY namespace, worker_instance_id
LIMIT $4
FOR UPDATE SKIP LOCKED;

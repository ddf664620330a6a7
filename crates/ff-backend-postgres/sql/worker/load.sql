-- $1: namespace, $2: worker instance
SELECT
    worker_id, worker_instance_id, namespace, lanes, capabilities, last_heartbeat_ms, liveness_ttl_ms,
    registered_at_ms,
    (
        SELECT v.occurred_at_ms FROM ff_worker_registry_event AS v
        WHERE v.namespace = $1 AND v.worker_instance_id = $2 AND v.event_type = 'heartbeat'
        ORDER BY v.event_id DESC
        LIMIT 1
    ) AS heartbeat_recorded_at_ms
FROM ff_worker_registry
WHERE namespace = $1 AND worker_instance_id = $2
FOR UPDATE;

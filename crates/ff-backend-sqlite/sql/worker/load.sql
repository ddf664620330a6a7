-- $1: namespace, $2: instance
SELECT w.worker_id, w.worker_instance_id, w.namespace, w.lanes, w.capabilities,
    w.last_heartbeat_ms, w.liveness_ttl_ms, w.registered_at_ms,
    (
        SELECT v.occurred_at_ms FROM ff_worker_registry_event AS v
        WHERE v.namespace = $1
            AND v.worker_instance_id = $2
            AND v.event_type = 'heartbeat'
        ORDER BY v.event_id DESC
        LIMIT 1
    ) AS heartbeat_recorded_at_ms
FROM ff_worker_registry AS w
WHERE w.namespace = $1 AND w.worker_instance_id = $2;

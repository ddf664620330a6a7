-- $1: namespace, $2: cursor's instance, $3: limit
-- A page goes on to the end of its last instance.
WITH page AS (
    SELECT w.worker_instance_id
    FROM ff_worker_registry AS w INDEXED BY ff_worker_registry_instance
    WHERE w.worker_instance_id >= coalesce($2, '')
        AND ($2 IS NULL OR w.worker_instance_id > $2)
        AND ($1 IS NULL OR w.namespace = $1)
    ORDER BY w.worker_instance_id
    LIMIT ($3 + 0)
)
SELECT worker_id, worker_instance_id, namespace, lanes, capabilities, last_heartbeat_ms,
    liveness_ttl_ms, registered_at_ms
FROM ff_worker_registry INDEXED BY ff_worker_registry_instance
WHERE worker_instance_id >= coalesce($2, '')
    AND ($2 IS NULL OR worker_instance_id > $2)
    AND worker_instance_id <= (SELECT max(worker_instance_id) FROM page)
    AND ($1 IS NULL OR namespace = $1)
ORDER BY worker_instance_id, namespace;

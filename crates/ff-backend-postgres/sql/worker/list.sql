-- $1: namespace, $2: cursor's worker instance, $3: limit
-- Two branches, of which one has no row: each follows an index of its own.
SELECT
    worker_id, worker_instance_id, namespace, lanes, capabilities, last_heartbeat_ms, liveness_ttl_ms,
    registered_at_ms
FROM (
    (
        SELECT * FROM ff_worker_registry AS w
        WHERE $1::text IS NULL
            AND w.worker_instance_id >= coalesce($2::text, '')
            AND ($2::text IS NULL OR w.worker_instance_id > $2)
        ORDER BY w.worker_instance_id
        FETCH FIRST $3 ROWS WITH TIES
    )
    UNION ALL
    (
        SELECT * FROM ff_worker_registry AS w
        WHERE w.namespace = $1
            AND w.worker_instance_id >= coalesce($2::text, '')
            AND ($2::text IS NULL OR w.worker_instance_id > $2)
        ORDER BY w.worker_instance_id
        LIMIT $3
    )
) AS listed
ORDER BY worker_instance_id, namespace;

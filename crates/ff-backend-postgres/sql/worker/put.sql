-- $1: namespace, $2: worker instance, $3: worker, $4: lanes, $5: capabilities, $6: last heartbeat,
-- $7: time to live, $8: registration, $9: whether it overwrites a row
INSERT INTO ff_worker_registry AS w (
    namespace, worker_instance_id, worker_id, lanes, capabilities, last_heartbeat_ms, liveness_ttl_ms,
    registered_at_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (namespace, worker_instance_id) DO UPDATE
SET worker_id = excluded.worker_id,
    lanes = excluded.lanes,
    capabilities = excluded.capabilities,
    last_heartbeat_ms = excluded.last_heartbeat_ms,
    liveness_ttl_ms = excluded.liveness_ttl_ms,
    registered_at_ms = excluded.registered_at_ms
WHERE $9;

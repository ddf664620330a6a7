-- $1: JSON array of events
INSERT INTO ff_worker_registry_event (
    namespace, worker_instance_id, event_type, reason, occurred_at_ms
)
SELECT
    item.value ->> 'namespace',
    item.value ->> 'worker_instance_id',
    item.value ->> 'event_type',
    item.value ->> 'reason',
    item.value ->> 'occurred_at_ms'
FROM json_each($1) AS item;

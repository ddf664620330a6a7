-- Arrays of events: $1: namespaces, $2: worker instances, $3: types, $4: reasons, $5: times
INSERT INTO ff_worker_registry_event (
    namespace, worker_instance_id, event_type, reason, occurred_at_ms
)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]);

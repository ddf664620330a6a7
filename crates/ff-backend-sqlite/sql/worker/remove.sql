-- $1: JSON array of workers: namespace and instance
DELETE FROM ff_worker_registry
WHERE (namespace, worker_instance_id) IN (
    SELECT value ->> 'namespace', value ->> 'worker_instance_id' FROM json_each($1)
);

-- Arrays: $1: namespaces, $2: worker instances
DELETE FROM ff_worker_registry AS w
USING unnest($1::text[], $2::text[]) AS item (namespace, worker_instance_id)
WHERE w.namespace = item.namespace AND w.worker_instance_id = item.worker_instance_id;

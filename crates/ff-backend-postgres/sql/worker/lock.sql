-- $1: namespace, $2: worker instance
SELECT 1 FROM ff_worker_registry WHERE namespace = $1 AND worker_instance_id = $2
FOR UPDATE;

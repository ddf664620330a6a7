-- $1: flow
-- Those that have not finished.
SELECT partition_key, execution_id
FROM ff_exec_core
WHERE flow_id = $1 AND lifecycle_phase NOT IN ('terminal', 'cancelled')
ORDER BY execution_id, partition_key;

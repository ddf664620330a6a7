-- $1: flow
-- Members that were cancelled with their flow.
SELECT partition_key, execution_id
FROM ff_exec_core
WHERE flow_id = $1 AND lifecycle_phase = 'cancelled' AND cancelled_by = 'flow'
ORDER BY execution_id, partition_key;

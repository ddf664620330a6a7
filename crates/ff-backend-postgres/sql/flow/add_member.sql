-- $1: partition, $2: execution, $3: flow
UPDATE ff_exec_core SET flow_id = $3
WHERE partition_key = $1 AND execution_id = $2;

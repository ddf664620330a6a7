-- $1: partition, $2: execution
SELECT partition_key, execution_id, lane_id, namespace, execution_kind, payload, payload_encoding,
    tags::text AS tags, policy::text AS policy
FROM ff_exec_core
WHERE partition_key = $1 AND execution_id = $2;

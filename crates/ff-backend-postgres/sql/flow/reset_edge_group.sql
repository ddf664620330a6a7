-- Arrays: $1: partitions of flows, $2: flows, $3: members downstream
UPDATE ff_edge_group AS g
SET fail_count = 0, skip_count = 0, running_count = 0
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS item (partition_key, flow_id, execution_id)
WHERE g.partition_key = item.partition_key
    AND g.flow_id = item.flow_id
    AND g.downstream_eid = item.execution_id;

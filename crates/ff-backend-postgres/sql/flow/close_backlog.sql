-- Arrays of flows whose backlogs are locked: $1: partitions, $2: flows
DELETE FROM ff_cancel_backlog AS b
USING unnest($1::bigint[], $2::uuid[]) AS item (partition_key, flow_id)
WHERE b.partition_key = item.partition_key
    AND b.flow_id = item.flow_id
    AND NOT EXISTS (
        SELECT FROM ff_cancel_backlog_member AS m
        WHERE m.partition_key = b.partition_key AND m.flow_id = b.flow_id
    );

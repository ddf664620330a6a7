-- Arrays of flows whose backlogs are locked: $1: partitions, $2: flows
-- Each is looked at once: what its members have left behind is as much as they were.
DELETE FROM ff_cancel_backlog AS b
USING (
    SELECT DISTINCT * FROM unnest($1::bigint[], $2::uuid[]) AS item (partition_key, flow_id)
) AS item
WHERE b.partition_key = item.partition_key
    AND b.flow_id = item.flow_id
    AND NOT EXISTS (
        SELECT FROM ff_cancel_backlog_member AS m
        WHERE m.partition_key = b.partition_key AND m.flow_id = b.flow_id
    );

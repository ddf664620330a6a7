-- $1: partition, $2: flow
SELECT 1 FROM ff_cancel_backlog_member
WHERE partition_key = $1 AND flow_id = $2
LIMIT 1;

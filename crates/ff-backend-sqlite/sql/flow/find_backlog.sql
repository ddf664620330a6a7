-- $1: flow
SELECT 1 FROM ff_cancel_backlog_member
WHERE partition_key = 0 AND flow_id = $1
LIMIT 1;

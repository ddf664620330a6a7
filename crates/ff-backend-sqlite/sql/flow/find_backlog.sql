-- $1: flow
SELECT 1 FROM ff_cancel_backlog WHERE partition_key = 0 AND flow_id = $1;

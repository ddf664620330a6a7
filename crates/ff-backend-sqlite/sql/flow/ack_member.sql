-- $1: JSON array of members: flow and execution
DELETE FROM ff_cancel_backlog_member
WHERE (partition_key, flow_id, execution_id) IN (
    SELECT 0, unhex(value ->> 'flow_id', '-'), unhex(value ->> 'execution_id', '-')
    FROM json_each($1)
);

-- $1: JSON array of flows; those that have members left stay
DELETE FROM ff_cancel_backlog AS b
WHERE (b.partition_key, b.flow_id) IN (SELECT 0, unhex(value, '-') FROM json_each($1))
    AND NOT EXISTS (
        SELECT 1 FROM ff_cancel_backlog_member AS m
        WHERE m.partition_key = b.partition_key AND m.flow_id = b.flow_id
    );

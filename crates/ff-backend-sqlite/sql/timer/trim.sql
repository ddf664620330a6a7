-- $1: JSON array of keys
DELETE FROM ff_exec_core
WHERE (partition_key, execution_id) IN (
    SELECT value ->> 'partition_key', unhex(value ->> 'execution_id', '-') FROM json_each($1)
);
DELETE FROM ff_attempt
WHERE (partition_key, execution_id) IN (
    SELECT value ->> 'partition_key', unhex(value ->> 'execution_id', '-') FROM json_each($1)
);
DELETE FROM ff_idempotency
WHERE (execution_id, partition_key) IN (
    SELECT unhex(value ->> 'execution_id', '-'), value ->> 'partition_key' FROM json_each($1)
);
DELETE FROM ff_execution_capabilities
WHERE execution_id IN (SELECT unhex(value ->> 'execution_id', '-') FROM json_each($1));
DELETE FROM ff_lease_event
WHERE (execution_id, partition_key) IN (
    SELECT value ->> 'execution_id', value ->> 'partition_key' FROM json_each($1)
);
DELETE FROM ff_completion_event
WHERE (execution_id, partition_key) IN (
    SELECT unhex(value ->> 'execution_id', '-'), value ->> 'partition_key' FROM json_each($1)
);
DELETE FROM ff_operator_event
WHERE (execution_id, partition_key) IN (
    SELECT value ->> 'execution_id', value ->> 'partition_key' FROM json_each($1)
);
DELETE FROM ff_cancel_backlog_member
WHERE execution_id IN (SELECT unhex(value ->> 'execution_id', '-') FROM json_each($1));

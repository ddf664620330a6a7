-- $1: JSON array of new executions that were stored just now
INSERT INTO ff_execution_capabilities (execution_id, capability)
SELECT unhex(item.value ->> 'execution_id', '-'), capability.value
FROM json_each($1) AS item
CROSS JOIN json_each(item.value -> 'required_capabilities') AS capability
WHERE true
ON CONFLICT DO NOTHING;

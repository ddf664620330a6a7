-- Of all three statements, executions whose leases are held. Of this one: now; their rows and results
UPDATE ff_exec_core AS e
SET lifecycle_phase = 'terminal',
    ownership_state = 'unowned',
    eligibility_state = 'not_applicable',
    public_state = 'completed',
    attempt_state = 'attempt_terminal',
    blocking_reason = NULL,
    eligible_at_ms = NULL,
    terminal_at_ms = ?,
    result = item.column2
FROM (VALUES (?, ?)) AS item
WHERE e.rowid = item.column1;

-- Their partitions, ids and attempt indexes, each with now. They are there; what conflicts is looked for by its
-- key, whatever the planner believes of the tables.
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, terminal_at_ms)
SELECT * FROM (
    VALUES (?, ?, ?, ?)
)
WHERE column1 IS NOT NULL
ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
SET outcome = 'success', terminal_at_ms = excluded.terminal_at_ms, lease_expires_at_ms = NULL;

-- Now and the path of the instance tag; their rows
INSERT INTO ff_completion_event (
    partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    e.execution_id,
    e.flow_id,
    'success',
    ?,
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> ? END
FROM (VALUES (?)) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.column1;

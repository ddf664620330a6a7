-- $1: JSON array of keys
UPDATE ff_edge_group
SET fail_count = 0, skip_count = 0, running_count = 0
WHERE rowid IN (
    SELECT g.rowid
    FROM json_each($1) AS item
    CROSS JOIN ff_edge_group AS g
    WHERE g.partition_key = 0
        AND g.flow_id = (
            SELECT e.flow_id FROM ff_exec_core AS e
            WHERE e.partition_key = item.value ->> 'partition_key'
                AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
        )
        AND g.downstream_eid = unhex(item.value ->> 'execution_id', '-')
);

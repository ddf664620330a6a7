-- Now; with each lease its place, partition, execution, attempt index, lease epoch and worker instance
SELECT item.column1 AS position, e.rowid AS row_id
FROM (SELECT ? AS now) AS call
CROSS JOIN (VALUES (?, ?, ?, ?, ?, ?)) AS item
CROSS JOIN ff_exec_core AS e ON e.partition_key = item.column2 AND e.execution_id = item.column3
CROSS JOIN ff_attempt AS a
    ON a.partition_key = item.column2
    AND a.execution_id = item.column3
    AND a.attempt_index = item.column4
WHERE e.attempt_index = item.column4
    AND e.lifecycle_phase = 'active'
    AND a.lease_epoch = item.column5
    AND a.worker_instance_id = item.column6
    AND a.outcome IS NULL
    AND a.lease_expires_at_ms > call.now;

-- $1: first row, $2: last row
SELECT partition_key, execution_id FROM ff_exec_core WHERE rowid BETWEEN $1 AND $2;

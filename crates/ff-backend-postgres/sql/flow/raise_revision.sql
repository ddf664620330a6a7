-- $1: partition, $2: flow, $3: revision
UPDATE ff_flow_core SET graph_revision = $3
WHERE partition_key = $1 AND flow_id = $2;

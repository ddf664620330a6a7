-- $1: flow, $2: revision
UPDATE ff_flow_core SET graph_revision = $2
WHERE partition_key = 0 AND flow_id = $1;

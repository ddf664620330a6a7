-- Lanes that only another program's rows name are found by stepping through the index.
WITH RECURSIVE named (lane_id) AS (
    SELECT min(e.lane_id) FROM ff_exec_core AS e
    UNION ALL
    SELECT (SELECT min(e.lane_id) FROM ff_exec_core AS e WHERE e.lane_id > named.lane_id)
    FROM named
    WHERE named.lane_id IS NOT NULL
)
SELECT lane_id, state FROM ff_lane
UNION ALL
SELECT lane_id, 'active' FROM named
WHERE lane_id IS NOT NULL AND lane_id NOT IN (SELECT lane_id FROM ff_lane)
ORDER BY lane_id;

-- $1: JSON array of lanes, $2: JSON array of public states or null, $3: namespace, $4: kind, $5: path of a tag,
-- $6: the tag's value, $7: created from, $8: created before
WITH RECURSIVE stored (lane_id, public_state) AS (
    SELECT lane.value, (
        SELECT min(e.public_state) FROM ff_exec_core AS e WHERE e.lane_id = lane.value
    )
    FROM json_each($1) AS lane
    UNION ALL
    SELECT s.lane_id, (
        SELECT min(e.public_state) FROM ff_exec_core AS e
        WHERE e.lane_id = s.lane_id AND e.public_state > s.public_state
    )
    FROM stored AS s
    WHERE s.public_state IS NOT NULL
),
wanted AS (
    SELECT s.lane_id, s.public_state
    FROM stored AS s
    WHERE s.public_state IS NOT NULL
        AND ($2 IS NULL OR s.public_state IN (SELECT value FROM json_each($2)))
)
SELECT r.lane_id, r.public_state, count(*) AS executions
FROM wanted AS w
CROSS JOIN ff_exec_core AS r
    ON r.lane_id = w.lane_id
    AND r.public_state = w.public_state
    AND r.created_at_ms >= $7
    AND ($8 IS NULL OR r.created_at_ms < $8)
WHERE ($3 IS NULL OR r.namespace = $3)
    AND ($4 IS NULL OR r.execution_kind = $4)
    AND ($5 IS NULL OR CASE WHEN json_valid(r.tags) THEN r.tags ->> $5 = $6 END)
GROUP BY r.lane_id, r.public_state;

-- $1: JSON array of lanes, $2: JSON array of public states, $3: namespace, $4: kind, $5: path of a tag,
-- $6: the tag's value, $7: created from, $8: created before
SELECT r.lane_id, r.public_state, count(*) AS executions
FROM json_each($1) AS lane
CROSS JOIN json_each($2) AS state
CROSS JOIN ff_exec_core AS r
    ON r.lane_id = lane.value
    AND r.public_state = state.value
    AND r.created_at_ms >= $7
    AND r.created_at_ms < $8
WHERE ($3 IS NULL OR r.namespace = $3)
    AND ($4 IS NULL OR r.execution_kind = $4)
    AND ($5 IS NULL OR CASE WHEN json_valid(r.tags) THEN r.tags ->> $5 = $6 END)
GROUP BY r.lane_id, r.public_state;

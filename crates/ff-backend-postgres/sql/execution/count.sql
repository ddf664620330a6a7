-- $1: lanes, $2: public states or null, $3: namespace, $4: kind, $5: key of a tag, $6: the tag's value,
-- $7: created from, $8: created before
WITH RECURSIVE stored (lane_id, public_state) AS (
    SELECT lane.lane_id, (
        SELECT min(e.public_state) FROM ff_exec_core AS e WHERE e.lane_id = lane.lane_id
    )
    FROM unnest($1::text[]) AS lane (lane_id)
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
        AND ($2::text[] IS NULL OR s.public_state = ANY ($2::text[]))
)
SELECT w.lane_id, w.public_state, counted.executions
FROM wanted AS w
-- Of each queue by itself: as a join, the planner may read all that is stored to compare it with what is wanted.
CROSS JOIN LATERAL (
    SELECT count(*) AS executions
    FROM ff_exec_core AS r
    WHERE r.lane_id = w.lane_id
        AND r.public_state = w.public_state
        AND r.created_at_ms >= $7
        AND ($8::bigint IS NULL OR r.created_at_ms < $8)
        AND ($3::text IS NULL OR r.namespace = $3)
        AND ($4::text IS NULL OR r.execution_kind = $4)
        AND ($5::text IS NULL OR r.tags ->> $5 = $6)
) AS counted
WHERE counted.executions > 0;

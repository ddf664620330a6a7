-- $1: namespace, $2: state, $3: cursor's creation time, $4: cursor's flow, $5: limit
WITH RECURSIVE stored (public_flow_state) AS (
    SELECT min(f.public_flow_state) FROM ff_flow_core AS f
    UNION ALL
    SELECT (
        SELECT min(f.public_flow_state) FROM ff_flow_core AS f
        WHERE f.public_flow_state > s.public_flow_state
    )
    FROM stored AS s
    WHERE s.public_flow_state IS NOT NULL
),
wanted AS (
    SELECT s.public_flow_state
    FROM stored AS s
    WHERE s.public_flow_state IS NOT NULL AND ($2 IS NULL OR s.public_flow_state = $2)
)
SELECT f.flow_id, f.graph_revision, f.public_flow_state, f.created_at_ms, f.terminal_at_ms,
    f.namespace, f.flow_kind, f.tags, f.raw_fields
FROM wanted AS w
CROSS JOIN ff_flow_core AS f
WHERE f.rowid IN (
    SELECT r.rowid FROM ff_flow_core AS r
    WHERE r.public_flow_state = w.public_flow_state
        AND r.created_at_ms >= coalesce($3, -9223372036854775808)
        AND ($3 IS NULL OR (r.created_at_ms, r.flow_id) > ($3, $4))
        AND ($1 IS NULL OR r.namespace = $1)
    ORDER BY r.created_at_ms, r.flow_id
    LIMIT ($5 + 0)
)
ORDER BY f.created_at_ms, f.flow_id
LIMIT ($5 + 0);

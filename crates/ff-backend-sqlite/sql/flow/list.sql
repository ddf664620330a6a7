-- $1: namespace, $2: state, $3: cursor's creation time, $4: cursor's flow, $5: limit
-- Two branches, of which one has no row: each follows an index of its own.
SELECT
    flow_id, graph_revision, public_flow_state, created_at_ms, terminal_at_ms, namespace, flow_kind,
    tags, raw_fields
FROM (
    SELECT * FROM (
        SELECT f.* FROM ff_flow_core AS f INDEXED BY ff_flow_core_listed
        WHERE $2 IS NULL
            AND f.created_at_ms >= coalesce($3, -9223372036854775808)
            AND ($3 IS NULL OR (f.created_at_ms, f.flow_id) > ($3, $4))
            AND ($1 IS NULL OR f.namespace = $1)
        ORDER BY f.created_at_ms, f.flow_id
        LIMIT ($5 + 0)
    )
    UNION ALL
    SELECT * FROM (
        SELECT f.* FROM ff_flow_core AS f INDEXED BY ff_flow_core_listed_in_state
        WHERE f.public_flow_state = $2
            AND f.created_at_ms >= coalesce($3, -9223372036854775808)
            AND ($3 IS NULL OR (f.created_at_ms, f.flow_id) > ($3, $4))
            AND ($1 IS NULL OR f.namespace = $1)
        ORDER BY f.created_at_ms, f.flow_id
        LIMIT ($5 + 0)
    )
) AS listed
ORDER BY created_at_ms, flow_id;

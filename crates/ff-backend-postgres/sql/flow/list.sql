-- $1: namespace, $2: state, $3: cursor's creation time, $4: cursor's flow, $5: limit
-- Two branches, of which one has no row: each follows an index of its own.
SELECT
    flow_id, graph_revision, public_flow_state, created_at_ms, terminal_at_ms, namespace, flow_kind,
    tags::text AS tags, raw_fields::text AS raw_fields
FROM (
    (
        SELECT * FROM ff_flow_core AS f
        WHERE $2::text IS NULL
            AND (f.created_at_ms, f.flow_id) > ($3::bigint, $4::uuid)
            AND ($1::text IS NULL OR f.namespace = $1)
        ORDER BY f.created_at_ms, f.flow_id
        LIMIT $5
    )
    UNION ALL
    (
        SELECT * FROM ff_flow_core AS f
        WHERE f.public_flow_state = $2
            -- Written so that no index but its own serves it.
            AND (f.public_flow_state, f.created_at_ms, f.flow_id) > ($2, $3::bigint, $4::uuid)
            AND ($1::text IS NULL OR f.namespace = $1)
        ORDER BY f.created_at_ms, f.flow_id
        LIMIT $5
    )
) AS listed
ORDER BY created_at_ms, flow_id;

-- $1: transaction of the cursor, $2: event of the cursor, $3: limit
SELECT
    transaction_id::text::bigint AS transaction_id, event_id, partition_key, execution_id,
    NULL::uuid AS flow_id, event_type AS name, details::text AS details, occurred_at_ms, namespace, instance_tag
FROM ff_operator_event AS e
WHERE (e.transaction_id, e.event_id) > ($1::bigint::text::xid8, $2::bigint)
    AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.transaction_id, e.event_id
LIMIT $3;

-- Tables of events with rows of transactions that this server has not begun: readers wait for them.
SELECT 'ff_completion_event' AS name
WHERE EXISTS (
    SELECT FROM ff_completion_event WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
)
UNION ALL
SELECT 'ff_lease_event'
WHERE EXISTS (
    SELECT FROM ff_lease_event WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
)
UNION ALL
SELECT 'ff_operator_event'
WHERE EXISTS (
    SELECT FROM ff_operator_event WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
);

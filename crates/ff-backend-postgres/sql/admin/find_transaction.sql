-- $1: transaction
-- Whether it has committed.
SELECT coalesce(pg_xact_status($1::bigint::text::xid8) = 'committed', false) AS is_committed;

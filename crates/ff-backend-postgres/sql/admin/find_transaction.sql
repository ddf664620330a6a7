-- $1: transaction
-- Whether it has committed. One that is later than this one has begun on another server, which has failed before
-- this one knew of it.
SELECT CASE
    WHEN $1::bigint::text::xid8 < pg_current_xact_id()
        THEN coalesce(pg_xact_status($1::bigint::text::xid8) = 'committed', false)
    ELSE false
END AS is_committed;

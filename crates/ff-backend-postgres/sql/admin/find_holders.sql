-- $1: age in milliseconds, $2: age in transactions
-- What makes vacuum keep dead rows of this database, or makes readers of events wait: a transaction that has an
-- id holds back events wherever it runs, one that only reads holds back vacuum in its own database.
SELECT
    'transaction' AS kind,
    a.pid::text AS name,
    format('user %s in database %s', coalesce(a.usename, '?'), coalesce(a.datname, '?'))
        || CASE WHEN a.application_name = '' THEN '' ELSE format(', program %s', a.application_name) END AS owner,
    (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint AS age
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid()
    AND a.backend_type <> 'autovacuum worker'
    AND (a.backend_xid IS NOT NULL OR (a.backend_xmin IS NOT NULL AND a.datname = current_database()))
    AND a.xact_start <= clock_timestamp() - $1::bigint * interval '1 millisecond'
    AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
UNION ALL
SELECT
    'prepared transaction',
    p.gid,
    format('user %s in database %s', p.owner, p.database),
    (extract(epoch FROM clock_timestamp() - p.prepared) * 1000)::bigint
FROM pg_prepared_xacts AS p
WHERE p.prepared <= clock_timestamp() - $1::bigint * interval '1 millisecond'
UNION ALL
SELECT
    'standby',
    coalesce(r.application_name, r.pid::text),
    coalesce(host(r.client_addr), 'this machine'),
    age(r.backend_xmin)
FROM pg_stat_replication AS r
WHERE age(r.backend_xmin) >= $2::bigint
UNION ALL
SELECT
    'replication slot',
    s.slot_name,
    CASE WHEN s.active THEN 'in use' ELSE 'not in use' END,
    greatest(age(s.xmin), age(s.catalog_xmin))
FROM pg_replication_slots AS s
WHERE greatest(age(s.xmin), age(s.catalog_xmin)) >= $2::bigint
ORDER BY kind, name;

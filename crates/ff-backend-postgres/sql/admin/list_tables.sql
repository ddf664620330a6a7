-- $1: tables
-- Those that are there, found as the engine's own statements find them.
SELECT
    wanted.name,
    coalesce(
        (
            SELECT option_value::boolean FROM pg_options_to_table(c.reloptions)
            WHERE option_name = 'autovacuum_enabled'
        ),
        true
    ) AS is_well
FROM unnest($1::text[]) AS wanted (name)
JOIN pg_class AS c ON c.oid = to_regclass(wanted.name)
ORDER BY wanted.name;

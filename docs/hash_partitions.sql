-- Lays the tables that carry `partition_key` in their primary key onto native hash partitions, with what they
-- hold. Run it with no worker at work, by the owner of the tables, after `ff migrate`:
--
--     psql --set=ON_ERROR_STOP=1 --command "SET ff.partitions = 8" --file docs/hash_partitions.sql jobs
--
-- It is one transaction. `docs/scaling.md` says when it pays.
DO $$
DECLARE
    modulus integer := coalesce(nullif(current_setting('ff.partitions', true), ''), '8')::integer;
    is_readable text := pg_get_functiondef('ff_is_readable'::regproc);
    tables text[] := ARRAY[
        'ff_exec_core', 'ff_attempt', 'ff_flow_core', 'ff_edge', 'ff_edge_group', 'ff_cancel_backlog',
        'ff_cancel_backlog_member'
    ];
    name text;
    plain text;
    key text;
    settings text;
    indexes text[];
    statement text;
BEGIN
    -- Its argument is a row of the table that is replaced.
    DROP FUNCTION ff_is_readable;
    FOREACH name IN ARRAY tables LOOP
        plain := name || '_plain';
        SELECT pg_get_constraintdef(oid) INTO STRICT key
        FROM pg_constraint WHERE conrelid = name::regclass AND contype = 'p';
        SELECT array_agg(pg_get_indexdef(indexrelid)) INTO indexes
        FROM pg_index WHERE indrelid = name::regclass AND NOT indisprimary;
        SELECT coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '') INTO STRICT settings
        FROM pg_class WHERE oid = name::regclass;
        EXECUTE format('ALTER TABLE %I RENAME TO %I', name, plain);
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH (partition_key)',
            name, plain
        );
        FOR remainder IN 0 .. modulus - 1 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)%s',
                name || '_' || remainder, name, modulus, remainder, settings
            );
        END LOOP;
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', name, plain);
        EXECUTE format('DROP TABLE %I', plain);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', name, name || '_pkey', key);
        FOREACH statement IN ARRAY coalesce(indexes, '{}') LOOP
            EXECUTE statement;
        END LOOP;
    END LOOP;
    EXECUTE is_readable;
END
$$;

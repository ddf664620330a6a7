-- $1: tables
SELECT i.relname::text AS name, x.indisvalid AS is_well
FROM unnest($1::text[]) AS wanted (name)
JOIN pg_index AS x ON x.indrelid = to_regclass(wanted.name)
JOIN pg_class AS i ON i.oid = x.indexrelid
ORDER BY i.relname;

-- Reads the schema, so that a database that was emptied is noticed.
SELECT max(version) FROM ff_migration_annotation;

-- Reads the schema, so that a file that is no longer a database is noticed.
SELECT max(version) FROM ff_migration_annotation;

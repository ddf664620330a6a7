-- Sessions of other users whose transactions this user may not see.
SELECT count(*) AS hidden FROM pg_stat_activity WHERE datname IS NOT NULL AND backend_type IS NULL;

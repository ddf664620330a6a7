-- $1: namespace, $2: retention
INSERT INTO ff_namespace (namespace, retention_ms) VALUES ($1, $2)
ON CONFLICT (namespace) DO UPDATE SET retention_ms = excluded.retention_ms;

//! Durable executions in PostgreSQL.

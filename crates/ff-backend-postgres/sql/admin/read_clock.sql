-- The server's time now, also in a transaction that began long ago.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms;

-- What reads and writes the file.
SELECT sqlite_version() AS version;

-- A record is read back long after it was written, by another process than the one that wrote it: the scorer compares its digest
-- first, as it does that of an upload. Records of earlier versions have none.
ALTER TABLE submissions
    ADD COLUMN record_sha256 bytea CHECK (octet_length(record_sha256) = 32);

GRANT UPDATE (record_sha256) ON submissions TO referee_inference;

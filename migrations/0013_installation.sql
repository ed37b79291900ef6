-- Which object store is this database's. A store carries the installation's id in a file of its own; nobody works with one that
-- carries another id or none, and nothing is ever deleted from it. The first api makes the id, marks the store, then says so here.

CREATE TABLE installation (
    singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    store_marked_at timestamptz                         -- from then on, a store without the mark is not this database's
);

GRANT SELECT, INSERT ON installation TO referee_api;
GRANT UPDATE (store_marked_at) ON installation TO referee_api;
GRANT SELECT ON installation TO referee_scorer, referee_inference;

-- Each process compares the migrations that it knows with those that have run.
GRANT SELECT (version, success, checksum) ON _sqlx_migrations TO referee_api, referee_scorer, referee_inference;

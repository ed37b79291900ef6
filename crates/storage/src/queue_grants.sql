-- What the workers need of graphile_worker's tables, which the migrating owner owns. The tables carry row-level security,
-- so each grant comes with a policy. Run again after every upgrade of the crate; the api role is not named here.
GRANT USAGE ON SCHEMA graphile_worker TO referee_scorer, referee_inference;
GRANT SELECT ON graphile_worker.migrations TO referee_scorer, referee_inference;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA graphile_worker TO referee_scorer, referee_inference;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA graphile_worker FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA graphile_worker TO referee_scorer, referee_inference;

DO $$
DECLARE
    queue_table text;
BEGIN
    FOR queue_table IN
        SELECT c.relname
        FROM pg_class c
        WHERE c.relnamespace = 'graphile_worker'::regnamespace
          AND c.relkind = 'r'
          AND c.relname LIKE '\_private\_%'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON graphile_worker.%I TO referee_scorer, referee_inference', queue_table);
        EXECUTE format('ALTER TABLE graphile_worker.%I ENABLE ROW LEVEL SECURITY', queue_table);
        EXECUTE format('DROP POLICY IF EXISTS workers ON graphile_worker.%I', queue_table);
        EXECUTE format('CREATE POLICY workers ON graphile_worker.%I TO referee_scorer, referee_inference USING (true) WITH CHECK (true)', queue_table);
    END LOOP;
END;
$$;

-- Two gaps in the wall. A role that makes large objects owns something and can fill the disk; nothing here needs them. And
-- an inference worker may write to the rows of models alone: predictions are none of its business.

DO $$
DECLARE
    maker regprocedure;
BEGIN
    FOR maker IN
        SELECT oid
        FROM pg_catalog.pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import')
          AND pg_has_role(proowner, 'USAGE')            -- a superuser; on a server of others, its administrator decides
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', maker);
    END LOOP;
END;
$$;

ALTER TABLE submissions ENABLE ROW LEVEL SECURITY;
CREATE POLICY api_and_scorer ON submissions TO referee_api, referee_scorer USING (true) WITH CHECK (true);
CREATE POLICY inference_reads ON submissions FOR SELECT TO referee_inference USING (true);
CREATE POLICY inference_runs_models ON submissions FOR UPDATE TO referee_inference
    USING (kind = 'model') WITH CHECK (kind = 'model');

-- Only what a submission itself can have caused ends it as failed: `losses` counts the workers that were lost while they worked
-- on it, and what went wrong inside for its sake; a finished range sets it to 0. What is the server's trouble (a full disk, a
-- store that is away) is waited out instead, for as long as it lasts: the submission is queued again and says for what.
ALTER TABLE submissions
    ADD COLUMN losses        integer NOT NULL DEFAULT 0,
    ADD COLUMN waiting_for   text CHECK (waiting_for IN ('storage', 'cache', 'images', 'database', 'server')),
    ADD COLUMN waiting_since timestamptz,
    ADD CHECK ((waiting_for IS NULL) = (waiting_since IS NULL));
CREATE INDEX submissions_waiting ON submissions (waiting_since) WHERE waiting_since IS NOT NULL;
-- Scored ones that are off the board until their file can be read again: looked for once a second.
CREATE INDEX submissions_left_out ON submissions (challenge) WHERE notices @> '[{"code": "not-rescored"}]';

COMMENT ON COLUMN submissions.inference_attempts IS 'those of `attempt` that running the model took';
COMMENT ON COLUMN shards.starts IS 'takings that ended with the process that ran it, or with its worker: five at most';

GRANT UPDATE (losses, waiting_for, waiting_since) ON submissions TO referee_scorer, referee_inference;

-- `waited`: a wait began.
ALTER TABLE watchdog_actions
    DROP CONSTRAINT watchdog_actions_action_check,
    ADD CONSTRAINT watchdog_actions_action_check CHECK (action IN ('requeued', 'failed', 'waited', 'retried'));
GRANT INSERT ON watchdog_actions TO referee_inference;

-- Runs again what ended as failed, and at once what waits. Whether it did: everything else is left as it is.
CREATE FUNCTION retry(submission_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.submissions
    SET status = 'queued', problem = NULL, losses = 0, stage = NULL, progress_at = clock_timestamp(),
        waiting_for = NULL, waiting_since = NULL
    WHERE id = submission_id
      AND withdrawn_at IS NULL
      AND (status = 'failed' OR status = 'queued' AND waiting_since IS NOT NULL);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO public.watchdog_actions (submission, action) VALUES (submission_id, 'retried');
    PERFORM public.enqueue(submission_id);
    RETURN true;
END;
$$;
REVOKE ALL ON FUNCTION retry(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retry(uuid) TO referee_api;

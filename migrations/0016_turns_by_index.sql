-- The turn of a submission is found by indexes: it takes as long with thousands in the queue as with none.
CREATE INDEX submissions_turns
    ON submissions ((CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END), status, priority)
    WHERE status IN ('queued', 'running') AND withdrawn_at IS NULL;
CREATE INDEX submissions_team_turns
    ON submissions (team, (CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END), priority)
    WHERE status IN ('queued', 'running') AND withdrawn_at IS NULL;

-- As before (0009), each of the three questions by itself. What waits for trouble of ours to pass keeps its turn.
CREATE OR REPLACE FUNCTION enqueue(submission_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    submitted  public.submissions;
    needs_kind text;
    turn       smallint;
BEGIN
    SELECT * INTO STRICT submitted FROM public.submissions WHERE id = submission_id;
    needs_kind := CASE WHEN submitted.record_key IS NULL THEN submitted.kind ELSE 'predictions' END;
    IF submitted.waiting_since IS NOT NULL AND submitted.priority > 0 THEN
        turn := submitted.priority;
    ELSE
        SELECT least(32766, greatest(
                   (SELECT priority
                    FROM public.submissions
                    WHERE CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END = needs_kind
                      AND status = 'running'
                      AND withdrawn_at IS NULL
                      AND id <> submission_id
                    ORDER BY priority DESC
                    LIMIT 1),
                   (SELECT priority
                    FROM public.submissions
                    WHERE CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END = needs_kind
                      AND status = 'queued'
                      AND withdrawn_at IS NULL
                      AND id <> submission_id
                    ORDER BY priority
                    LIMIT 1) - 1,
                   (SELECT priority
                    FROM public.submissions
                    WHERE team = submitted.team
                      AND CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END = needs_kind
                      AND status IN ('queued', 'running')
                      AND withdrawn_at IS NULL
                      AND id <> submission_id
                    ORDER BY priority DESC
                    LIMIT 1),
                   0)) + 1
        INTO turn;
    END IF;
    UPDATE public.submissions SET priority = turn WHERE id = submission_id AND priority <> turn;
    PERFORM graphile_worker.add_job(
        identifier => CASE WHEN needs_kind = 'model' THEN 'infer' ELSE 'score' END,
        payload => json_build_object('submission', submission_id),
        max_attempts => 25,
        job_key => 'submission:' || submission_id,
        priority => turn::integer);
END;
$$;

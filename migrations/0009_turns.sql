-- Teams take turns. A submission's priority (lower runs first) is the turn after the one that workers of its kind are in,
-- and after the last that its team waits for: a team's second submission waits for everyone's first, and nobody's waits
-- for what comes later than the next turn. (With the team's unfinished submissions alone, those of teams with few that
-- kept coming went before one of a team with many for ever.) Turns begin again at 1 when nothing is unfinished; past
-- 32,767 without such a moment everyone's turn is the same, first come, first served.
CREATE OR REPLACE FUNCTION enqueue(submission_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    submitted public.submissions;
    turn      smallint;
BEGIN
    SELECT * INTO STRICT submitted FROM public.submissions WHERE id = submission_id;
    SELECT least(32766, greatest(
               max(priority) FILTER (WHERE status = 'running'),
               min(priority) FILTER (WHERE status = 'queued') - 1,
               max(priority) FILTER (WHERE team = submitted.team),
               0)) + 1
    INTO turn
    FROM public.submissions
    WHERE id <> submission_id
      AND CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END
        = CASE WHEN submitted.record_key IS NULL THEN submitted.kind ELSE 'predictions' END
      AND status IN ('queued', 'running')
      AND withdrawn_at IS NULL;
    UPDATE public.submissions SET priority = turn WHERE id = submission_id AND priority <> turn;
    PERFORM graphile_worker.add_job(
        identifier => CASE WHEN submitted.kind = 'model' AND submitted.record_key IS NULL THEN 'infer' ELSE 'score' END,
        payload => json_build_object('submission', submission_id),
        max_attempts => 25,
        job_key => 'submission:' || submission_id,
        priority => turn::integer);
END;
$$;

COMMENT ON COLUMN submissions.priority IS 'the turn in which it is to run, among those that need the same workers (enqueue)';

-- The only doors to the queue. graphile_worker's own tables belong to the migrating owner: a role that could write
-- there, or be a member of their owner, could plant a trigger that runs as the scorer.

-- Wakes a worker of the kind that the submission needs next. The priority (lower runs first) is the number of the team's
-- unfinished submissions of that kind, which interleaves the teams.
CREATE FUNCTION enqueue(submission_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    submitted public.submissions;
    waiting   smallint;
BEGIN
    SELECT * INTO STRICT submitted FROM public.submissions WHERE id = submission_id;
    SELECT least(count(*), 10000) INTO waiting
    FROM public.submissions
    WHERE team = submitted.team
      AND kind = submitted.kind
      AND status IN ('queued', 'running')
      AND withdrawn_at IS NULL;
    UPDATE public.submissions SET priority = waiting WHERE id = submission_id AND priority <> waiting;
    PERFORM graphile_worker.add_job(
        identifier => CASE WHEN submitted.kind = 'model' AND submitted.record_key IS NULL THEN 'infer' ELSE 'score' END,
        payload => json_build_object('submission', submission_id),
        max_attempts => 25,
        job_key => 'submission:' || submission_id,
        priority => waiting::integer);
END;
$$;

-- Wakes the scorer for what a challenge as a whole may need: sealing labels, rescoring, the close, rank ranges.
CREATE FUNCTION enqueue_challenge(challenge_id uuid, run_at timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM graphile_worker.add_job(
        identifier => 'tend',
        payload => json_build_object('challenge', challenge_id),
        queue_name => 'challenge:' || challenge_id,
        run_at => run_at,
        max_attempts => 25,
        job_key => 'challenge:' || challenge_id,
        priority => -1,
        job_key_mode => CASE WHEN run_at IS NULL THEN 'replace' ELSE 'preserve_run_at' END);
END;
$$;

-- Whether a job is there that will wake a worker for the submission. The watchdog asks.
CREATE FUNCTION has_job(submission_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT
        FROM graphile_worker._private_jobs
        WHERE key = 'submission:' || submission_id
          AND (locked_at IS NOT NULL OR attempts < max_attempts));
END;
$$;

REVOKE ALL ON FUNCTION enqueue(uuid), enqueue_challenge(uuid, timestamptz), has_job(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION has_job(uuid) TO referee_scorer;
GRANT EXECUTE ON FUNCTION enqueue(uuid), enqueue_challenge(uuid, timestamptz) TO referee_api, referee_scorer;
GRANT EXECUTE ON FUNCTION enqueue(uuid) TO referee_inference;
REVOKE ALL ON FUNCTION notify_board(), notify_submission(), raise_submission_revision() FROM PUBLIC;

-- The wall holds against a read. This closes it against a question: what the api may write is never mixed with sealed rows by
-- a role that may do more, and what decides when something is released is not the api's to set. docs/WALL.md goes through
-- every column.

-- 1. A version of the labels is wholly the uploaded file, or wholly the scorer's copy of an earlier version.

CREATE FUNCTION add_label_version(challenge_id uuid, image_count integer, fingerprint bytea, creator uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    PERFORM FROM public.challenges WHERE id = challenge_id FOR NO KEY UPDATE;
    INSERT INTO public.label_versions (challenge, version, images, digest, created_by, created_at)
    SELECT challenge_id, coalesce(max(version), 0) + 1, image_count, fingerprint, creator, clock_timestamp()
    FROM public.label_versions
    WHERE challenge = challenge_id
    RETURNING version INTO added;
    RETURN added;
END;
$$;

-- The newest labels of those that the board shows or will show, once more. Null where there are none, or where other classes
-- or image names took the place of those that they were read with.
CREATE FUNCTION add_rescore(challenge_id uuid, creator uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked public.challenges;
    added integer;
BEGIN
    SELECT * INTO STRICT asked FROM public.challenges WHERE id = challenge_id FOR NO KEY UPDATE;
    INSERT INTO public.label_versions (challenge, version, images, digest, copy_of, created_by, created_at)
    SELECT challenge_id,
           (SELECT max(version) + 1 FROM public.label_versions WHERE challenge = challenge_id),
           images, digest, version, creator, clock_timestamp()
    FROM public.label_versions
    WHERE challenge = challenge_id
      AND version >= asked.label_version
      AND state IN ('uploaded', 'sealed', 'current')
      AND (asked.labels_stale_since IS NULL OR created_at > asked.labels_stale_since)
    ORDER BY version DESC
    LIMIT 1
    RETURNING version INTO added;
    RETURN added;
END;
$$;

-- Rows come in the transaction that made their version, and never later; those of a copy come from the scorer.
CREATE FUNCTION sealed.refuse_mixed_labels() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT
        FROM (SELECT DISTINCT challenge, version FROM added) AS added
        JOIN public.label_versions AS v USING (challenge, version)
        WHERE v.state <> 'uploaded'
           OR CASE WHEN v.copy_of IS NULL THEN v.xmin <> pg_current_xact_id()::xid ELSE current_user <> 'referee_scorer' END
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = 'labels are added to a version when it is made, and never later';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER refuse_mixed_labels AFTER INSERT ON sealed.labels
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION sealed.refuse_mixed_labels();

-- 2. When a challenge opens and closes. The close lets private scores out: it is not set to the past, and stays once they are out.

CREATE FUNCTION set_schedule(challenge_id uuid, new_opens timestamptz, new_closes timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held public.challenges;
BEGIN
    SELECT * INTO STRICT held FROM public.challenges WHERE id = challenge_id FOR NO KEY UPDATE;
    IF new_closes IS DISTINCT FROM held.closes THEN
        IF held.private_released_at IS NOT NULL THEN
            RAISE insufficient_privilege USING MESSAGE = 'the close stays where it is once private scores are released';
        END IF;
        -- Five minutes, because clocks differ: who says "now" means now.
        IF new_closes < clock_timestamp() - interval '5 minutes' THEN
            RAISE insufficient_privilege USING MESSAGE = 'a challenge is not closed in the past';
        END IF;
    END IF;
    UPDATE public.challenges SET opens = new_opens, closes = new_closes WHERE id = challenge_id;
END;
$$;

-- 3. What labels were read with and split by.

CREATE FUNCTION guard_challenge() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    has_labels boolean;
    is_other   boolean := OLD.classes <> NEW.classes
                          OR OLD.images IS NOT NULL AND OLD.images IS DISTINCT FROM NEW.images
                          OR OLD.image_names IS NOT NULL AND OLD.image_names IS DISTINCT FROM NEW.image_names;
BEGIN
    IF current_user <> 'referee_api' THEN
        RETURN NEW;
    END IF;
    IF OLD.published_at IS NOT NULL THEN
        IF NEW.published_at IS DISTINCT FROM OLD.published_at THEN
            RAISE insufficient_privilege USING MESSAGE = 'a published challenge stays published';
        END IF;
        IF is_other OR OLD.images IS NOT NULL AND OLD.image_names IS DISTINCT FROM NEW.image_names THEN
            RAISE insufficient_privilege USING MESSAGE = 'the classes and the test images of a published challenge stay as they are';
        END IF;
        -- An exact score after a ladder's, or a ladder that stands on one error and then on the other, tells more than was agreed.
        IF OLD.feedback = 'ladder' AND (NEW.feedback <> 'ladder' OR NEW.primary_error <> OLD.primary_error) THEN
            RAISE insufficient_privilege USING MESSAGE = 'the ladder of a published challenge stays as it is';
        END IF;
    ELSIF NEW.published_at IS NOT NULL THEN
        IF NEW.closes < clock_timestamp() - interval '5 minutes' THEN
            RAISE insufficient_privilege USING MESSAGE = 'a challenge is not published after its close';
        END IF;
        NEW.published_at := clock_timestamp();
    END IF;
    IF NEW.public_fraction <> OLD.public_fraction THEN
        SELECT EXISTS (SELECT FROM public.label_versions WHERE challenge = OLD.id AND state <> 'refused') INTO has_labels;
        IF has_labels OR OLD.published_at IS NOT NULL THEN
            RAISE insufficient_privilege USING MESSAGE = 'labels stay split as they were';
        END IF;
    END IF;
    NEW.labels_stale_since := CASE WHEN is_other THEN clock_timestamp() ELSE OLD.labels_stale_since END;
    IF is_other
       OR OLD.image_names IS DISTINCT FROM NEW.image_names
       OR OLD.image_sizes IS DISTINCT FROM NEW.image_sizes
       OR NEW.facts_revision <> OLD.facts_revision
    THEN
        NEW.facts_revision := OLD.facts_revision + 1;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER guard_challenge BEFORE UPDATE ON challenges FOR EACH ROW EXECUTE FUNCTION guard_challenge();

-- 4. Whether labels may be scored with: read with the classes and image names that hold now. A copy is no new reading, but it is
-- only made of labels that may.
CREATE FUNCTION labels_are_fresh(challenge_id uuid, of_version integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT challenges.labels_stale_since IS NULL OR label_versions.created_at > challenges.labels_stale_since
    FROM public.label_versions
    JOIN public.challenges ON challenges.id = label_versions.challenge
    WHERE label_versions.challenge = challenge_id
      AND label_versions.version = of_version
$$;

-- 5. Column by column what may be inserted: no row comes into the world scored, released, published or current.

REVOKE INSERT ON label_versions, challenges, submissions, boards FROM referee_api;
REVOKE UPDATE ON boards FROM referee_api;
REVOKE UPDATE (opens, closes, labels_stale_since) ON challenges FROM referee_api;
GRANT INSERT (id, slug, title, series, description, classes, public_images, opens, closes, after_close, per_day, per_week, total,
              upload_mb, primary_error, public_fraction, feedback, ranking, final_selections, outside_data, created_by,
              reference_label, reference_error)
    ON challenges TO referee_api;
GRANT INSERT (id, challenge, team, submitter, kind, entry, method, description, paper_url, code_url, outside_data, form,
              object_key, filename, bytes, sha256, idempotency_key, received_at, late)
    ON submissions TO referee_api;
GRANT INSERT (challenge), UPDATE (revision, changed_at) ON boards TO referee_api;

-- What has a score is the scorer's alone.
DROP POLICY inference_runs_models ON submissions;
CREATE POLICY inference_runs_models ON submissions FOR UPDATE TO referee_inference
    USING (kind = 'model' AND status <> 'scored') WITH CHECK (kind = 'model' AND status <> 'scored');

-- 6. Advisory locks are taken by name: whoever may take one may keep the scorer from its own. The workers need three of these
-- functions; sign-ups, which wait for each other, take theirs here.

CREATE FUNCTION wait_for_sign_ups() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_advisory_xact_lock(hashtext('referee first account'))
$$;

DO $$
DECLARE
    taker regprocedure;
BEGIN
    FOR taker IN
        SELECT oid
        FROM pg_catalog.pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname ~ '^pg_(try_)?advisory_'
          AND pg_has_role(proowner, 'USAGE')            -- a superuser; on a server of others, its administrator decides
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', taker);
        IF taker IN ('pg_advisory_xact_lock(bigint)'::regprocedure, 'pg_advisory_xact_lock_shared(bigint)'::regprocedure) THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO referee_scorer', taker);
        ELSIF taker = 'pg_try_advisory_xact_lock(integer, integer)'::regprocedure THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO referee_scorer, referee_inference', taker); -- graphile_worker's heartbeat
        END IF;
    END LOOP;
END;
$$;

REVOKE ALL ON FUNCTION add_label_version(uuid, integer, bytea, uuid), add_rescore(uuid, uuid), sealed.refuse_mixed_labels(),
    set_schedule(uuid, timestamptz, timestamptz), guard_challenge(), labels_are_fresh(uuid, integer), wait_for_sign_ups() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_label_version(uuid, integer, bytea, uuid), add_rescore(uuid, uuid),
    set_schedule(uuid, timestamptz, timestamptz), wait_for_sign_ups() TO referee_api;
GRANT EXECUTE ON FUNCTION labels_are_fresh(uuid, integer) TO referee_scorer;

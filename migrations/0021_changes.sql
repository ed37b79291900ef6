-- What changed in a published challenge, and when: for everyone who may see it. Written by triggers, so that no way of changing a
-- challenge can leave it out, and changed by nobody.
CREATE TABLE challenge_changes (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    challenge uuid NOT NULL REFERENCES challenges (id),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    what      text NOT NULL,        -- a setting or file as the challenge's document calls it; labels, rescored, published, released
    before    jsonb,
    after     jsonb
);
CREATE INDEX challenge_changes_challenge ON challenge_changes (challenge, id);
GRANT SELECT ON challenge_changes TO referee_api;

CREATE FUNCTION note_changed_settings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.challenge_changes (challenge, what, before, after)
    SELECT NEW.id, change.what, change.before, change.after
    FROM (VALUES
        (1, 'published', to_jsonb(OLD.published_at), to_jsonb(NEW.published_at)),
        (2, 'released', to_jsonb(OLD.private_released_at), to_jsonb(NEW.private_released_at))
    ) AS change (place, what, before, after)
    WHERE change.before IS DISTINCT FROM change.after
    ORDER BY change.place;
    IF OLD.published_at IS NULL OR NEW.published_at IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.challenge_changes (challenge, what, before, after)
    SELECT NEW.id, change.what, change.before, change.after
    FROM (VALUES
        (1, 'title', to_jsonb(OLD.title), to_jsonb(NEW.title)),
        (2, 'series', to_jsonb(OLD.series), to_jsonb(NEW.series)),
        (3, 'test.public_images', to_jsonb(OLD.public_images), to_jsonb(NEW.public_images)),
        (4, 'schedule.opens', to_jsonb(OLD.opens), to_jsonb(NEW.opens)),
        (5, 'schedule.closes', to_jsonb(OLD.closes), to_jsonb(NEW.closes)),
        (6, 'schedule.after_close', to_jsonb(OLD.after_close), to_jsonb(NEW.after_close)),
        (7, 'limits.per_day', to_jsonb(OLD.per_day), to_jsonb(NEW.per_day)),
        (8, 'limits.per_week', to_jsonb(OLD.per_week), to_jsonb(NEW.per_week)),
        (9, 'limits.total', to_jsonb(OLD.total), to_jsonb(NEW.total)),
        (10, 'limits.upload_mb', to_jsonb(OLD.upload_mb), to_jsonb(NEW.upload_mb)),
        (11, 'leaderboard.primary', to_jsonb(OLD.primary_error), to_jsonb(NEW.primary_error)),
        (12, 'leaderboard.public_fraction', to_jsonb(OLD.public_fraction), to_jsonb(NEW.public_fraction)),
        (13, 'leaderboard.feedback', to_jsonb(OLD.feedback), to_jsonb(NEW.feedback)),
        (14, 'leaderboard.ranking', to_jsonb(OLD.ranking), to_jsonb(NEW.ranking)),
        (15, 'leaderboard.final_selections', to_jsonb(OLD.final_selections), to_jsonb(NEW.final_selections)),
        (16, 'rules.outside_data', to_jsonb(OLD.outside_data), to_jsonb(NEW.outside_data))
    ) AS change (place, what, before, after)
    WHERE change.before IS DISTINCT FROM change.after
    ORDER BY change.place;
    -- Too long to be repeated here.
    IF NEW.description <> OLD.description THEN
        INSERT INTO public.challenge_changes (challenge, what) VALUES (NEW.id, 'description');
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER note_changed_settings AFTER UPDATE ON challenges FOR EACH ROW EXECUTE FUNCTION note_changed_settings();

-- `before` is the version that the board showed until then. The first labels of a challenge are no change.
CREATE FUNCTION note_new_labels() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.challenge_changes (challenge, what, before, after)
    SELECT NEW.challenge, CASE WHEN NEW.copy_of IS NULL THEN 'labels' ELSE 'rescored' END, to_jsonb(label_version), to_jsonb(NEW.version)
    FROM public.challenges
    WHERE id = NEW.challenge
      AND published_at IS NOT NULL
      AND label_version IS NOT NULL;
    RETURN NULL;
END;
$$;
CREATE TRIGGER note_new_labels AFTER UPDATE OF state ON label_versions
    FOR EACH ROW WHEN (NEW.state = 'current' AND OLD.state <> 'current') EXECUTE FUNCTION note_new_labels();

CREATE FUNCTION note_changed_files() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    file   public.challenge_files := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    before jsonb;
    after  jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        before := to_jsonb(OLD.filename);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := to_jsonb(NEW.filename);
    END IF;
    INSERT INTO public.challenge_changes (challenge, what, before, after)
    SELECT file.challenge,
           CASE file.purpose
               WHEN 'download' THEN 'files.' || file.key
               WHEN 'test-images' THEN 'test.images'
               WHEN 'validation-images' THEN 'validation.images'
               ELSE 'validation.labels'
           END,
           before, after
    FROM public.challenges
    WHERE id = file.challenge
      AND published_at IS NOT NULL;
    RETURN NULL;
END;
$$;
CREATE TRIGGER note_new_or_removed_files AFTER INSERT OR DELETE ON challenge_files FOR EACH ROW EXECUTE FUNCTION note_changed_files();
CREATE TRIGGER note_changed_files AFTER UPDATE ON challenge_files
    FOR EACH ROW WHEN (NEW.sha256 <> OLD.sha256) EXECUTE FUNCTION note_changed_files();

REVOKE ALL ON FUNCTION note_changed_settings(), note_new_labels(), note_changed_files() FROM PUBLIC;

-- What was known before there was this list.
INSERT INTO challenge_changes (challenge, at, what, after)
SELECT id, published_at, 'published', to_jsonb(published_at) FROM challenges WHERE published_at IS NOT NULL
UNION ALL
SELECT id, private_released_at, 'released', to_jsonb(private_released_at) FROM challenges WHERE private_released_at IS NOT NULL
UNION ALL
SELECT v.challenge, v.current_at, CASE WHEN v.copy_of IS NULL THEN 'labels' ELSE 'rescored' END, to_jsonb(v.version)
FROM label_versions v
JOIN challenges c ON c.id = v.challenge
WHERE v.current_at > c.published_at
ORDER BY 2;

-- The audit trail: what was done, when, by whom and from where. Triggers write it, so that whoever does something has it written
-- down whether they would or not; no role may write to it, change it or take from it.
--
-- An entry waits in `audit_pending`, in the transaction of what it tells of, until `chain_audit` (the scorer, each second) adds it
-- to `audit_trail` as a line of JSON with a hash over it and over the hash of the line before. So nobody waits for anybody.

CREATE TABLE audit_pending (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    entry jsonb NOT NULL
);

CREATE TABLE audit_trail (
    position bigint PRIMARY KEY,                        -- from 1, without a gap
    line     text NOT NULL,
    hash     bytea NOT NULL CHECK (octet_length(hash) = 32) -- SHA-256 of the hash before (32 zeros at first) and the line
);

-- Accounts and addresses stand in the trail by a random id. These say whose it is, and can be deleted without breaking the chain.
CREATE TABLE audit_people (
    account uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    id      uuid NOT NULL UNIQUE DEFAULT gen_random_uuid()
);
CREATE TABLE audit_addresses (
    address text PRIMARY KEY,
    id      uuid NOT NULL UNIQUE DEFAULT gen_random_uuid()
);

CREATE FUNCTION refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'the audit trail is only ever added to';
END;
$$;
CREATE TRIGGER refuse_audit_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

CREATE FUNCTION audit_person(of_account uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    SELECT id INTO found FROM public.audit_people WHERE account = of_account;
    IF found IS NULL THEN
        INSERT INTO public.audit_people (account)
        SELECT id FROM public.users WHERE id = of_account
        ON CONFLICT (account) DO NOTHING;
        SELECT id INTO found FROM public.audit_people WHERE account = of_account;
    END IF;
    RETURN found;
END;
$$;

CREATE FUNCTION audit_address(of_address text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    SELECT id INTO found FROM public.audit_addresses WHERE address = of_address;
    IF found IS NULL AND of_address IS NOT NULL THEN
        INSERT INTO public.audit_addresses (address) VALUES (of_address) ON CONFLICT (address) DO NOTHING;
        SELECT id INTO found FROM public.audit_addresses WHERE address = of_address;
    END IF;
    RETURN found;
END;
$$;

-- Who acts and from where is what the api says of the request; `role` is the database role, which nobody can choose.
CREATE FUNCTION audit(action text, challenge uuid, submission uuid, details jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (entry)
    VALUES (jsonb_build_object(
        'action', action,
        'role', session_user,
        'actor', public.audit_person(nullif(current_setting('referee.actor', true), '')::uuid),
        'address', public.audit_address(nullif(current_setting('referee.address', true), '')),
        'challenge', challenge,
        'submission', submission,
        'details', details));
END;
$$;

CREATE FUNCTION chain_audit(OUT last_position bigint, OUT head bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waiting  record;
    new_line text;
BEGIN
    IF EXISTS (SELECT FROM public.audit_pending) THEN
        LOCK TABLE public.audit_trail IN SHARE ROW EXCLUSIVE MODE;
    END IF;
    SELECT position, hash INTO last_position, head FROM public.audit_trail ORDER BY position DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    head := coalesce(head, decode(repeat('00', 32), 'hex'));
    FOR waiting IN SELECT id, at, entry FROM public.audit_pending ORDER BY id LIMIT 10000 LOOP
        last_position := last_position + 1;
        new_line := json_build_object(
            'position', last_position,
            'at', to_char(waiting.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'action', waiting.entry -> 'action',
            'role', waiting.entry -> 'role',
            'actor', waiting.entry -> 'actor',
            'address', waiting.entry -> 'address',
            'challenge', waiting.entry -> 'challenge',
            'submission', waiting.entry -> 'submission',
            'details', waiting.entry -> 'details')::text;
        head := sha256(head || convert_to(new_line, 'UTF8'));
        INSERT INTO public.audit_trail (position, line, hash) VALUES (last_position, new_line, head);
        DELETE FROM public.audit_pending WHERE id = waiting.id;
    END LOOP;
END;
$$;

-- What is written down.

CREATE FUNCTION audit_submission() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    marks jsonb := '{}';
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM public.audit('submitted', NEW.challenge, NEW.id, jsonb_build_object(
            'team', NEW.team, 'submitter', public.audit_person(NEW.submitter), 'kind', NEW.kind, 'entry', NEW.entry,
            'bytes', NEW.bytes, 'sha256', encode(NEW.sha256, 'hex'), 'received_at', NEW.received_at, 'late', NEW.late));
        RETURN NULL;
    END IF;
    IF NEW.status <> OLD.status THEN
        PERFORM public.audit(NEW.status, NEW.challenge, NEW.id, NULL);
    END IF;
    IF (NEW.withdrawn_at IS NULL) <> (OLD.withdrawn_at IS NULL) THEN
        marks := marks || jsonb_build_object('withdrawn', NEW.withdrawn_at IS NOT NULL);
    END IF;
    IF (NEW.hidden_at IS NULL) <> (OLD.hidden_at IS NULL) THEN
        marks := marks || jsonb_build_object('hidden', NEW.hidden_at IS NOT NULL);
    END IF;
    IF (NEW.verified_at IS NULL) <> (OLD.verified_at IS NULL) THEN
        marks := marks || jsonb_build_object('verified', NEW.verified_at IS NOT NULL);
    END IF;
    IF NEW.selected <> OLD.selected THEN
        marks := marks || jsonb_build_object('selected', NEW.selected);
    END IF;
    IF marks <> '{}' THEN
        PERFORM public.audit('marked', NEW.challenge, NEW.id, marks);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT ON submissions FOR EACH ROW EXECUTE FUNCTION audit_submission();
-- Scored ones are told of by the score that is released with it; progress by none.
CREATE TRIGGER audit_change AFTER UPDATE ON submissions FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NEW.status IN ('rejected', 'failed')
          OR (OLD.withdrawn_at IS NULL) <> (NEW.withdrawn_at IS NULL)
          OR (OLD.hidden_at IS NULL) <> (NEW.hidden_at IS NULL)
          OR (OLD.verified_at IS NULL) <> (NEW.verified_at IS NULL)
          OR OLD.selected <> NEW.selected)
    EXECUTE FUNCTION audit_submission();

-- A statement may release a whole challenge.
CREATE FUNCTION audit_release() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (entry)
    SELECT jsonb_build_object(
        'action', 'score released', 'role', session_user, 'actor', NULL, 'address', NULL,
        'challenge', s.challenge, 'submission', s.id,
        'details', jsonb_build_object(
            'sha256', encode(s.sha256, 'hex'), 'label_version', released.label_version, 'split', released.split,
            'images', released.images, 'top1_misses', released.top1_misses, 'top5_misses', released.top5_misses))
    FROM released
    JOIN public.submissions AS s ON s.id = released.submission
    ORDER BY s.id;
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT ON released_scores REFERENCING NEW TABLE AS released
    FOR EACH STATEMENT EXECUTE FUNCTION audit_release();
CREATE TRIGGER audit_change AFTER UPDATE ON released_scores REFERENCING NEW TABLE AS released
    FOR EACH STATEMENT EXECUTE FUNCTION audit_release();

CREATE FUNCTION audit_labels() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.audit('labels ' || NEW.state, NEW.challenge, NULL,
                         jsonb_build_object('version', NEW.version, 'images', NEW.images, 'copy_of', NEW.copy_of,
                                            'created_by', public.audit_person(NEW.created_by)));
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT ON label_versions FOR EACH ROW EXECUTE FUNCTION audit_labels();
CREATE TRIGGER audit_change AFTER UPDATE ON label_versions FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_labels();

-- Every column, those of later migrations too: what it was and what it is, of what is long a SHA-256.
CREATE FUNCTION audit_challenge() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before  public.challenges;
    after   public.challenges := NEW;
    changes jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM public.audit('challenge created', NEW.id, NULL, jsonb_build_object('slug', NEW.slug));
        RETURN NULL;
    END IF;
    before := OLD;
    IF OLD.image_names IS NOT DISTINCT FROM NEW.image_names THEN
        before.image_names := NULL;
        after.image_names := NULL;
    END IF;
    IF OLD.image_sizes IS NOT DISTINCT FROM NEW.image_sizes THEN
        before.image_sizes := NULL;
        after.image_sizes := NULL;
    END IF;
    SELECT jsonb_object_agg(key, CASE WHEN length(was.value::text) + length(became.value::text) > 1000
        THEN jsonb_build_array(encode(sha256(convert_to(was.value::text, 'UTF8')), 'hex'),
                               encode(sha256(convert_to(became.value::text, 'UTF8')), 'hex'))
        ELSE jsonb_build_array(was.value, became.value) END)
    INTO changes
    FROM jsonb_each(to_jsonb(before)) AS was
    JOIN jsonb_each(to_jsonb(after)) AS became USING (key)
    WHERE was.value IS DISTINCT FROM became.value
      -- The scorer's notes on what it has looked at, and what `label_versions` tells.
      AND key NOT IN ('facts_revision', 'label_version', 'labels_stale_since')
      AND key !~ '^label_leak';
    IF changes IS NOT NULL THEN
        PERFORM public.audit(
            CASE WHEN changes ? 'published_at' THEN 'published'
                 WHEN changes ? 'private_released_at' THEN 'private scores released'
                 ELSE 'rules changed' END,
            NEW.id, NULL, changes);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT ON challenges FOR EACH ROW EXECUTE FUNCTION audit_challenge();
CREATE TRIGGER audit_change AFTER UPDATE ON challenges FOR EACH ROW EXECUTE FUNCTION audit_challenge();

CREATE FUNCTION audit_file() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    file public.challenge_files := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM public.audit('file ' || CASE WHEN TG_OP = 'DELETE' THEN 'removed' ELSE 'stored' END, file.challenge, NULL,
                         jsonb_build_object('purpose', file.purpose, 'key', file.key, 'bytes', file.bytes,
                                            'sha256', encode(file.sha256, 'hex')));
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT OR DELETE ON challenge_files FOR EACH ROW EXECUTE FUNCTION audit_file();
CREATE TRIGGER audit_change AFTER UPDATE ON challenge_files FOR EACH ROW
    WHEN (OLD.object_key <> NEW.object_key OR OLD.sha256 <> NEW.sha256) EXECUTE FUNCTION audit_file();

CREATE FUNCTION audit_organizer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held public.challenge_organizers := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM public.audit('organizer ' || CASE WHEN TG_OP = 'DELETE' THEN 'removed' ELSE 'added' END, held.challenge, NULL,
                         jsonb_build_object('organizer', public.audit_person(held.user_id)));
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT OR DELETE ON challenge_organizers FOR EACH ROW EXECUTE FUNCTION audit_organizer();

CREATE FUNCTION audit_account() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM public.audit('account opened', NULL, NULL,
                             jsonb_build_object('account', public.audit_person(NEW.id), 'role', NEW.role));
    ELSE
        PERFORM public.audit('account changed', NULL, NULL, jsonb_strip_nulls(jsonb_build_object(
            'account', public.audit_person(NEW.id),
            'role', CASE WHEN OLD.role <> NEW.role THEN jsonb_build_array(OLD.role, NEW.role) END,
            'disabled', CASE WHEN OLD.disabled <> NEW.disabled THEN to_jsonb(NEW.disabled) END,
            'password', CASE WHEN OLD.password_hash <> NEW.password_hash THEN to_jsonb('changed'::text) END)));
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER audit_new AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION audit_account();
CREATE TRIGGER audit_change AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.role <> NEW.role OR OLD.disabled <> NEW.disabled OR OLD.password_hash <> NEW.password_hash)
    EXECUTE FUNCTION audit_account();

-- A person who wants to be forgotten: the trail stays whole, and nothing says any more who it is about.
CREATE FUNCTION forget_in_audit(of_account uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.audit_people WHERE account = of_account
$$;

REVOKE ALL ON FUNCTION refuse_audit_change(), audit_person(uuid), audit_address(text), audit(text, uuid, uuid, jsonb), chain_audit(),
    audit_submission(), audit_release(), audit_labels(), audit_challenge(), audit_file(), audit_organizer(), audit_account(),
    forget_in_audit(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chain_audit() TO referee_scorer;
GRANT EXECUTE ON FUNCTION forget_in_audit(uuid) TO referee_api;
GRANT SELECT ON audit_trail, audit_pending, audit_people, audit_addresses TO referee_api;

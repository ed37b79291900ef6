-- The wider classes and the order of the images are, like the classes and the names, what files and labels were read with: a published
-- challenge keeps them, and in a draft whoever has read something with them can tell that they changed.

GRANT INSERT (image_order, wider_classes) ON challenges TO referee_api;

CREATE OR REPLACE FUNCTION guard_challenge() RETURNS trigger
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
        IF NEW.wider_classes IS DISTINCT FROM OLD.wider_classes
           OR coalesce(NEW.image_order, 'bytes') <> coalesce(OLD.image_order, 'bytes')
        THEN
            RAISE insufficient_privilege
                USING MESSAGE = 'the wider classes and the order of the images of a published challenge stay as they are';
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
       OR OLD.wider_classes IS DISTINCT FROM NEW.wider_classes
       OR OLD.image_names IS DISTINCT FROM NEW.image_names
       OR OLD.image_sizes IS DISTINCT FROM NEW.image_sizes
       OR NEW.facts_revision <> OLD.facts_revision
    THEN
        NEW.facts_revision := OLD.facts_revision + 1;
    END IF;
    RETURN NEW;
END;
$$;

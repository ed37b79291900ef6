-- The leak check compares what the api's role writes (names, images, classes) with sealed labels. What it answers is a fixed list of words,
-- and it answers a draft so many times and a published challenge never, so that nobody learns labels by asking with names of their own
-- making. The api's role may neither set the number back nor, by taking a publication back, begin anew.
ALTER TABLE challenges
    ADD COLUMN leak_checks integer NOT NULL DEFAULT 0 CHECK (leak_checks BETWEEN 0 AND 20); -- answers given
GRANT UPDATE (leak_checks) ON challenges TO referee_scorer;

CREATE FUNCTION end_leak_checks() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.leak_checks := 20;
    RETURN NEW;
END;
$$;
REVOKE ALL ON FUNCTION end_leak_checks() FROM PUBLIC;
CREATE TRIGGER end_leak_checks BEFORE INSERT OR UPDATE OF published_at ON challenges
    FOR EACH ROW WHEN (NEW.published_at IS NOT NULL) EXECUTE FUNCTION end_leak_checks();

UPDATE challenges SET leak_checks = 20 WHERE published_at IS NOT NULL;

-- 10,000 teams on the board of the challenge `board`, as the scorer would leave them: each with one submission, its
-- outcome, its scores, and ranks to be computed. Their accounts cannot sign in.

CREATE TEMPORARY TABLE entries AS
SELECT number, gen_random_uuid() AS person, gen_random_uuid() AS team, gen_random_uuid() AS submission,
       decode(string_agg(lpad(to_hex((random() * 255)::integer & (random() * 255)::integer), 2, '0'), ''), 'hex') AS hits
FROM generate_series(1, 10000) AS number, generate_series(1, 125) AS byte
GROUP BY number;

INSERT INTO users (id, handle, password_hash)
SELECT person, 'competitor-' || number, 'none' FROM entries;

INSERT INTO teams (id, challenge, name)
SELECT team, challenges.id, 'competitor-' || number FROM entries, challenges WHERE slug = 'board';

INSERT INTO submissions (id, challenge, team, submitter, kind, entry, method, object_key, filename, bytes, sha256,
                         received_at, status, attempt, scored_at, scored_seq)
SELECT submission, challenges.id, team, person, 'predictions', 'competitor', 'ResNet-50 with cutmix, run ' || number,
       'incoming/' || submission, 'predictions.txt', 2000000, sha256(hits), now() - number * interval '1 minute', 'scored', 1, now(),
       nextval('sealed.scored_seq')
FROM entries, challenges
WHERE slug = 'board';

INSERT INTO sealed.outcomes (submission, label_version, top1_hits, top5_hits, ladder_accepted)
SELECT submission, 1, hits, hits, true FROM entries;

INSERT INTO released_scores (submission, label_version, split, images, top1_misses, top5_misses)
SELECT submission, 1, 'public', 1000, 1000 - bit_count(hits), 1000 - bit_count(hits) FROM entries;

UPDATE boards SET revision = revision + 1, changed_at = now() WHERE challenge = (SELECT id FROM challenges WHERE slug = 'board');
SELECT enqueue_challenge(id) FROM challenges WHERE slug = 'board';

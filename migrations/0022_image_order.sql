-- In which order the names of test images are counted. Byte order and the order in which people count (10.png after 2.png) differ, and
-- a file that says only `2`, or nothing but its lines, means another image by each.

ALTER TABLE challenges
    ADD COLUMN image_order text CHECK (image_order IN ('bytes', 'natural')); -- NULL: nobody has said; then it is bytes
GRANT UPDATE (image_order) ON challenges TO referee_api;

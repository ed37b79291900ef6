-- A challenge may have fewer classes than the networks that enter it know: the longer list, which holds all of them, is what
-- competitors' files and the canonical record are over. Like the classes it stays as it is once the challenge is published.

ALTER TABLE challenges
    ADD COLUMN wider_classes jsonb;                     -- [{"name": …, "id": …}], position = index; NULL: there is none
GRANT UPDATE (wider_classes) ON challenges TO referee_api;

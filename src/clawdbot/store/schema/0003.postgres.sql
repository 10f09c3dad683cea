-- What was said in a turn, as words to find it by (`store/words.py`): the newest has the highest id.
CREATE TABLE search (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    words           TSVECTOR NOT NULL,
    position        BIGINT NOT NULL,
    at              DOUBLE PRECISION NOT NULL
);
CREATE INDEX search_words ON search USING GIN (words);
CREATE INDEX search_user ON search (user_id, id);
CREATE INDEX search_conversation ON search (conversation_id);

-- What was said and the index does not have yet, in order: a turn's commit is kept free of it.
CREATE TABLE unindexed (
    id              INTEGER PRIMARY KEY,
    user_id         TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    position        BIGINT NOT NULL,
    at              DOUBLE PRECISION NOT NULL
);

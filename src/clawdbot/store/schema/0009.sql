-- Wrong tries to log in, counted against a name and an address (`key`); `user_id` is as whom. A name that is
-- nobody's stands as its hash: people type passwords into that box.
CREATE TABLE wrong_tries (
    key      TEXT PRIMARY KEY,
    user_id  TEXT NOT NULL,
    tries    BIGINT NOT NULL,
    tried_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX wrong_tries_age ON wrong_tries (tried_at, key);

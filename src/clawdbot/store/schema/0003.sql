-- A file that somebody sent: its bytes are on the disk under their hash, once however many sent them.
-- `said_at` is empty until it was part of a message; with that message's conversation it is forgotten.
CREATE TABLE media (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    hash       TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    size       BIGINT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    said_at    DOUBLE PRECISION,
    said_in    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX media_user ON media (user_id);
CREATE INDEX media_said ON media (said_in);
CREATE INDEX media_hash ON media (hash);
CREATE INDEX media_created ON media (created_at);

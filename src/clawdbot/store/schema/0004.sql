-- People: how they prove who they are, and the one-time codes by which they come in.

-- Of a browser `name` is its agent, of a token what its owner called it; `scopes` (a list with spaces)
-- and `read_only` bound a token. `id` names a log-in to people, `hash` only to us.
ALTER TABLE logins ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN read_only BIGINT NOT NULL DEFAULT 0;

-- open -> used | revoked. `invite`: for a new user of a name and role, or for `user_id`; `link`: who
-- writes it on a platform is `user_id`; `claim`: who enters it on the panel has that account.
CREATE TABLE codes (
    hash       TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    platform   TEXT NOT NULL,
    external   TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX codes_sender ON codes (platform, external, created_at);
CREATE INDEX codes_user ON codes (user_id);

-- The second factor of a log-in: `sealed` is its key, `step` the last that was used; it counts once
-- `confirmed_at` is set.
CREATE TABLE factors (
    user_id      TEXT PRIMARY KEY,
    sealed       BYTEA NOT NULL,
    step         BIGINT NOT NULL,
    confirmed_at DOUBLE PRECISION
);

-- Codes for whoever lost their second factor, each for once.
CREATE TABLE recoveries (
    hash    TEXT PRIMARY KEY,
    user_id TEXT NOT NULL
);
CREATE INDEX recoveries_user ON recoveries (user_id);

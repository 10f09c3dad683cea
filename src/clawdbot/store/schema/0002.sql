-- Hands: who may act, what was asked and decided, what is kept secret, and the record of it all.

ALTER TABLE usage ADD COLUMN cost DOUBLE PRECISION NOT NULL DEFAULT 0;

-- Levels beyond the built-in ones; `body` holds effects and named tools as JSON.
CREATE TABLE roles (
    name       TEXT PRIMARY KEY,
    body       BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);

-- A standing yes: to a user (empty: to everybody), for a tool, where its arguments fit `pattern`
-- (JSON); empty `conversation_id`: everywhere. Money and time bound it.
CREATE TABLE standings (
    id              TEXT PRIMARY KEY,
    user_id         TEXT NOT NULL,
    tool            TEXT NOT NULL,
    pattern         BYTEA NOT NULL,
    conversation_id TEXT NOT NULL,
    granted_by      TEXT NOT NULL,
    created_at      DOUBLE PRECISION NOT NULL,
    expires_at      DOUBLE PRECISION,
    revoked_at      DOUBLE PRECISION
);
CREATE INDEX standings_user ON standings (user_id, tool) WHERE revoked_at IS NULL;

-- open -> granted | denied | expired | cancelled. `body` shows everything that will run, `hash` binds
-- it; `token` (signed, with the epoch) and `code` are single use.
CREATE TABLE approvals (
    id              TEXT PRIMARY KEY,
    turn_id         TEXT NOT NULL REFERENCES turns (id),
    conversation_id TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    epoch           TEXT NOT NULL,
    code            TEXT NOT NULL,
    hash            TEXT NOT NULL,
    body            BYTEA NOT NULL,
    state           TEXT NOT NULL,
    scope           TEXT NOT NULL,
    decided_by      TEXT NOT NULL,
    created_at      DOUBLE PRECISION NOT NULL,
    expires_at      DOUBLE PRECISION NOT NULL,
    decided_at      DOUBLE PRECISION
);
CREATE INDEX approvals_open ON approvals (created_at) WHERE state = 'open';
CREATE INDEX approvals_turn ON approvals (turn_id);
CREATE INDEX approvals_waiting ON approvals (conversation_id) WHERE state = 'open';
CREATE INDEX approvals_user ON approvals (user_id, created_at);

-- One chain per (node, boot): `hash` covers all of the row and `previous`, of the payload what is
-- sealed. The payload is under its subject's key: erasing that erases the content, and the chain
-- stays valid.
CREATE TABLE audit (
    chain     TEXT NOT NULL,
    place     BIGINT NOT NULL,
    at        DOUBLE PRECISION NOT NULL,
    user_id   TEXT NOT NULL,
    turn_id   TEXT NOT NULL,
    step      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    what      TEXT NOT NULL,
    decision  TEXT NOT NULL,
    rule      TEXT NOT NULL,
    arguments TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    payload   BYTEA NOT NULL,
    previous  TEXT NOT NULL,
    hash      TEXT NOT NULL,
    PRIMARY KEY (chain, place)
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_turn ON audit (turn_id);
CREATE INDEX audit_user ON audit (user_id, at);

-- One line of signatures over all chains: row `place` of a chain has the hash `root`; `previous` is
-- the hash of the checkpoint before.
CREATE TABLE checkpoints (
    number    BIGINT PRIMARY KEY,
    chain     TEXT NOT NULL,
    place     BIGINT NOT NULL,
    root      TEXT NOT NULL,
    at        DOUBLE PRECISION NOT NULL,
    previous  TEXT NOT NULL,
    key       TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX checkpoints_chain ON checkpoints (chain, place);

CREATE TABLE subject_keys (
    user_id    TEXT PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);

-- `sealed` is AES-256-GCM under the master key, with `id`, `name` and `origins` as associated data;
-- `origins` (JSON) are all it may be sent to.
CREATE TABLE secrets (
    name       TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    origins    BYTEA NOT NULL,
    user_id    TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    rotated_at DOUBLE PRECISION
);

-- What an owner trusts: exactly these bytes (`hash`) with exactly these permissions (`manifest`, JSON).
CREATE TABLE plugins (
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    manifest   BYTEA NOT NULL,
    publisher  TEXT NOT NULL,
    state      TEXT NOT NULL,
    trusted_by TEXT NOT NULL,
    trusted_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (kind, name)
);

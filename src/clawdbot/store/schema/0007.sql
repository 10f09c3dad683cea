-- A standing no: to a user (empty: to everybody), for a tool, where its arguments fit `pattern` (JSON). Apart
-- from `standings`, so that no older code ever takes one for a yes.
CREATE TABLE refusals (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    tool       TEXT NOT NULL,
    pattern    BYTEA NOT NULL,
    granted_by TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    revoked_at DOUBLE PRECISION
);
CREATE INDEX refusals_user ON refusals (user_id) WHERE revoked_at IS NULL;

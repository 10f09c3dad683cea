-- name: logins.add
-- Keep a log-in.
INSERT INTO logins (hash, user_id, kind, csrf, created_at, seen_at, expires_at)
VALUES (:hash, :user_id, :kind, :csrf, :seen_at, :seen_at, :expires_at);

-- name: logins.get
-- Find a log-in that is still good.
SELECT hash, user_id, kind, csrf, seen_at, expires_at FROM logins
WHERE hash = :hash AND expires_at > :now;

-- name: logins.end
-- End a log-in.
DELETE FROM logins WHERE hash = :hash;

-- name: logins.expire
-- Drop log-ins that ended.
DELETE FROM logins WHERE expires_at <= :now;

-- name: logins.end_kind
-- End every log-in of a kind.
DELETE FROM logins WHERE kind = :kind;

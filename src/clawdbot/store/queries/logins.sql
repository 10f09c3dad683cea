-- name: logins.add
-- Keep a log-in.
INSERT INTO logins (hash, user_id, kind, csrf, created_at, seen_at, expires_at, id, name, address,
                    scopes, read_only)
VALUES (:hash, :user_id, :kind, :csrf, :seen_at, :seen_at, :expires_at, :id, :name, :address, :scopes,
        :read_only);

-- name: logins.get
-- Find a log-in that is still good.
SELECT hash, user_id, kind, csrf, seen_at, expires_at, id, name, address, scopes, read_only, created_at
FROM logins WHERE hash = :hash AND expires_at > :now;

-- name: logins.of_user
-- List a user's log-ins that are still good.
SELECT hash, user_id, kind, csrf, seen_at, expires_at, id, name, address, scopes, read_only, created_at
FROM logins WHERE user_id = :user_id AND expires_at > :now ORDER BY seen_at DESC, hash;

-- name: logins.see
-- Note that a log-in was used, from where.
UPDATE logins SET seen_at = :now, address = :address WHERE hash = :hash;

-- name: logins.end_of
-- End a user's log-ins of a kind, or of all kinds, but one.
DELETE FROM logins WHERE user_id = :user_id AND (:kind = '' OR kind = :kind) AND hash <> :but;

-- name: logins.end
-- End a log-in.
DELETE FROM logins WHERE hash = :hash;

-- name: logins.expire
-- Drop log-ins that ended.
DELETE FROM logins WHERE expires_at <= :now;

-- name: logins.end_kind
-- End every log-in of a kind.
DELETE FROM logins WHERE kind = :kind;

-- name: logins.erase
-- Forget a part of a user's log-ins.
DELETE FROM logins WHERE hash IN (SELECT hash FROM logins WHERE user_id = :user_id LIMIT :most);

-- name: logins.count_wrong
-- Count a wrong try.
INSERT INTO wrong_tries (key, user_id, tries, tried_at) VALUES (:key, :user_id, 1, :now)
ON CONFLICT (key) DO UPDATE SET tries = wrong_tries.tries + 1, tried_at = :now;

-- name: logins.trim_wrong
-- Forget the oldest wrong tries beyond a number; every write adds two rows at most.
DELETE FROM wrong_tries WHERE key IN (
    SELECT key FROM wrong_tries ORDER BY tried_at DESC, key DESC LIMIT 100 OFFSET :most);

-- name: logins.wrong
-- Read the wrong tries of a name or an address.
SELECT key, tries, tried_at FROM wrong_tries WHERE key = :key;

-- name: logins.all_wrong
-- List the wrong tries, latest first.
SELECT key, tries, tried_at FROM wrong_tries ORDER BY tried_at DESC, key DESC;

-- name: logins.forgive
-- Forget the wrong tries of a name or an address.
DELETE FROM wrong_tries WHERE key = :key;

-- name: logins.expire_wrong
-- Forget old wrong tries, and those of a clock that was ahead.
DELETE FROM wrong_tries WHERE tried_at <= :before OR tried_at > :now;

-- name: logins.erase_wrong
-- Forget the wrong tries as a user.
DELETE FROM wrong_tries WHERE user_id = :user_id;

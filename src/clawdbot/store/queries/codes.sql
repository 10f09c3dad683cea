-- name: codes.add
-- Keep a code.
INSERT INTO codes (hash, id, kind, state, user_id, made_by, name, role, platform, external, created_at,
                   expires_at)
VALUES (:hash, :id, :kind, 'open', :user_id, :made_by, :name, :role, :platform, :external, :created_at,
        :expires_at);

-- name: codes.find
-- Find an open code.
SELECT hash, id, kind, user_id, made_by, name, role, platform, external, created_at, expires_at
FROM codes WHERE hash = :hash AND kind = :kind AND state = 'open' AND expires_at > :now;

-- name: codes.list
-- List the open codes of a kind.
SELECT hash, id, kind, user_id, made_by, name, role, platform, external, created_at, expires_at
FROM codes WHERE kind = :kind AND state = 'open' AND expires_at > :now ORDER BY created_at, id;

-- name: codes.close
-- Use a code up, once.
UPDATE codes SET state = :state WHERE id = :id AND kind = :kind AND state = 'open';

-- name: codes.close_of
-- Take back the open codes for a user, or of a platform's account.
UPDATE codes SET state = 'revoked'
WHERE kind = :kind AND user_id = :user_id AND platform = :platform AND external = :external
  AND state = 'open';

-- name: codes.given
-- Count the codes given on platforms since a time: to this account, and to all.
SELECT COALESCE(SUM(CASE WHEN platform = :platform AND external = :external THEN 1 ELSE 0 END), 0),
       COUNT(*)
FROM codes WHERE kind = 'claim' AND created_at >= :since;

-- name: codes.expire
-- Drop codes that ended.
DELETE FROM codes WHERE expires_at < :before;

-- name: codes.erase
-- Forget a part of a user's codes, and of those that they made.
DELETE FROM codes WHERE hash IN (
    SELECT hash FROM codes WHERE user_id = :user_id OR made_by = :user_id LIMIT :most);

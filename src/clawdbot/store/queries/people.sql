-- name: people.by_identity
-- Find the user behind a platform's account.
SELECT u.id, u.name, u.role, u.language, u.timezone, u.disabled_at
FROM identities i JOIN users u ON u.id = i.user_id
WHERE i.platform = :platform AND i.external = :external;

-- name: people.get
-- Read a user.
SELECT id, name, role, language, timezone, disabled_at FROM users WHERE id = :id;

-- name: people.list
-- List all users.
SELECT id, name, role, language, timezone, disabled_at FROM users ORDER BY created_at, id;

-- name: people.by_name
-- Find a user by name, for a log-in; of several the first, whom nobody can push aside.
SELECT id, name, role, language, timezone, disabled_at FROM users WHERE name = :name
ORDER BY created_at, id LIMIT 1;

-- name: people.password
-- Read a user's password hash.
SELECT password FROM users WHERE id = :id;

-- name: people.set_password
-- Store a user's password hash.
UPDATE users SET password = :password WHERE id = :id;

-- name: people.owners
-- List the owners.
SELECT id, name, role, language, timezone, disabled_at
FROM users WHERE role = 'owner' AND disabled_at IS NULL ORDER BY created_at, id;

-- name: people.add
-- Add a user.
INSERT INTO users (id, name, role, language, timezone, password, created_at)
VALUES (:id, :name, :role, :language, :timezone, :password, :created_at);

-- name: people.set_profile
-- Change how a user wants to be spoken to.
UPDATE users SET name = :name, language = :language, timezone = :timezone WHERE id = :id;

-- name: people.identify
-- Link a platform's account to a user.
INSERT INTO identities (platform, external, user_id, name, created_at)
VALUES (:platform, :external, :user_id, :name, :created_at)
ON CONFLICT (platform, external) DO NOTHING;

-- name: people.reachable
-- Find where a user was last spoken with in person, best near, last on our own sockets.
SELECT c.address, c.receiver FROM conversations c
WHERE c.user_id = :user_id AND c.scope LIKE 'direct:%'
ORDER BY CASE WHEN c.receiver LIKE :near THEN 0 WHEN c.receiver IN ('web', 'terminal') THEN 2 ELSE 1 END,
         c.session_last DESC LIMIT 1;

-- name: pairings.add
-- Keep a code that a stranger was shown.
INSERT INTO pairings (code_hash, platform, external, name, language, held, state, created_at,
                      expires_at)
VALUES (:code_hash, :platform, :external, :name, :language, :held, 'open', :created_at,
        :expires_at);

-- name: pairings.of_sender
-- Find the open code of a stranger.
SELECT code_hash, platform, external, name, language, held, created_at, expires_at FROM pairings
WHERE platform = :platform AND external = :external AND state = 'open' AND expires_at > :now
ORDER BY created_at DESC LIMIT 1;

-- name: pairings.count
-- Count the codes given since a time: to this sender, and to all.
SELECT COALESCE(SUM(CASE WHEN platform = :platform AND external = :external THEN 1 ELSE 0 END), 0),
       COUNT(*)
FROM pairings WHERE created_at >= :since AND created_at <= :until;

-- name: pairings.refused
-- Tell whether a stranger was refused since a time.
SELECT COUNT(*) FROM pairings
WHERE platform = :platform AND external = :external AND created_at > :since AND state = 'refused';

-- name: pairings.find
-- Find an open code.
SELECT code_hash, platform, external, name, language, held, created_at, expires_at FROM pairings
WHERE code_hash = :code_hash AND state = 'open' AND expires_at > :now;

-- name: pairings.open
-- List who waits to be let in.
SELECT code_hash, platform, external, name, language, held, created_at, expires_at FROM pairings
WHERE state = 'open' AND expires_at > :now ORDER BY created_at;

-- name: pairings.close
-- Use up every code of a stranger.
UPDATE pairings SET state = :state
WHERE platform = :platform AND external = :external AND state = 'open';

-- name: people.set_role
-- Give a user a role.
UPDATE users SET role = :role WHERE id = :id;

-- name: people.set_disabled
-- Disable a user, or let them act again.
UPDATE users SET disabled_at = :disabled_at WHERE id = :id;

-- name: people.seen
-- Tell when each user was last heard of, on a platform or by a client.
SELECT user_id, MAX(at) FROM (SELECT user_id, session_last AS at FROM conversations
                              UNION ALL SELECT user_id, seen_at FROM logins) heard
GROUP BY user_id;

-- name: people.secured
-- Tell of each user whether they have a password, and a second factor.
SELECT u.id, CASE WHEN u.password <> '' THEN 1 ELSE 0 END,
       CASE WHEN f.confirmed_at IS NULL THEN 0 ELSE 1 END
FROM users u LEFT JOIN factors f ON f.user_id = u.id;

-- name: people.erase
-- Forget a user.
DELETE FROM users WHERE id = :user_id;

-- name: identities.list
-- List a user's accounts on platforms, or everybody's.
SELECT platform, external, user_id, name, created_at FROM identities
WHERE :user_id = '' OR user_id = :user_id ORDER BY created_at, platform, external;

-- name: identities.move
-- Give a platform's account to another user.
UPDATE identities SET user_id = :user_id WHERE platform = :platform AND external = :external;

-- name: identities.remove
-- Take a platform's account from its user.
DELETE FROM identities
WHERE platform = :platform AND external = :external AND user_id = :user_id;

-- name: secrets.put
-- Keep a secret, in place of an earlier one of its name.
INSERT INTO secrets (name, id, sealed, origins, user_id, created_at, rotated_at)
VALUES (:name, :id, :sealed, :origins, :user_id, :created_at, :rotated_at)
ON CONFLICT (name) DO UPDATE SET id = :id, sealed = :sealed, origins = :origins,
    user_id = :user_id, created_at = :created_at, rotated_at = :rotated_at;

-- name: secrets.get
-- Read a secret as it is kept.
SELECT name, id, sealed, origins, user_id, created_at, rotated_at FROM secrets WHERE name = :name;

-- name: secrets.list
-- List all secrets by name.
SELECT name, id, sealed, origins, user_id, created_at, rotated_at FROM secrets ORDER BY name;

-- name: secrets.remove
-- Forget a secret.
DELETE FROM secrets WHERE name = :name;

-- name: subject_keys.get
-- Read a person's key, sealed.
SELECT sealed FROM subject_keys WHERE user_id = :user_id;

-- name: subject_keys.list
-- List every person's key, sealed.
SELECT user_id, sealed FROM subject_keys ORDER BY user_id;

-- name: subject_keys.put
-- Keep a person's key.
INSERT INTO subject_keys (user_id, sealed, created_at) VALUES (:user_id, :sealed, :now)
ON CONFLICT (user_id) DO UPDATE SET sealed = :sealed;

-- name: subject_keys.remove
-- Forget a person's key.
DELETE FROM subject_keys WHERE user_id = :user_id;

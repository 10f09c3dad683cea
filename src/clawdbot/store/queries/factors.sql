-- name: factors.get
-- Read a user's second factor.
SELECT user_id, sealed, step, confirmed_at FROM factors WHERE user_id = :user_id;

-- name: factors.list
-- List every second factor.
SELECT user_id, sealed, step, confirmed_at FROM factors;

-- name: factors.put
-- Keep a user's second factor.
INSERT INTO factors (user_id, sealed, step, confirmed_at)
VALUES (:user_id, :sealed, :step, :confirmed_at)
ON CONFLICT (user_id) DO UPDATE SET sealed = :sealed, step = :step, confirmed_at = :confirmed_at;

-- name: factors.remove
-- Forget a user's second factor.
DELETE FROM factors WHERE user_id = :user_id;

-- name: recoveries.add
-- Keep a recovery code.
INSERT INTO recoveries (hash, user_id) VALUES (:hash, :user_id);

-- name: recoveries.use
-- Use a recovery code up.
DELETE FROM recoveries WHERE hash = :hash AND user_id = :user_id;

-- name: recoveries.erase
-- Forget a user's recovery codes.
DELETE FROM recoveries WHERE user_id = :user_id;

-- name: usage.add
-- Record what a model call used.
INSERT INTO usage (id, turn_id, user_id, route, provider, model, tokens_in, tokens_out,
                   first_token_s, whole_s, cost, at)
VALUES (:id, :turn, :user, :route, :provider, :model, :tokens_in, :tokens_out,
        :first_token_s, :whole_s, :cost, :at)
ON CONFLICT (user_id, at, id) DO NOTHING;

-- name: usage.of_user
-- Sum what a user used since a time.
SELECT provider, model, COUNT(*), SUM(tokens_in), SUM(tokens_out), SUM(cost) FROM usage
WHERE user_id = :user_id AND at >= :since GROUP BY provider, model ORDER BY provider, model;

-- name: usage.spent
-- Sum what a user spent since a time, and everybody where that is asked for.
SELECT COALESCE(SUM(CASE WHEN user_id = :user_id THEN cost ELSE 0 END), 0), COALESCE(SUM(cost), 0)
FROM users CROSS JOIN usage  -- in this order: a user's rows of a time are found by their key
WHERE user_id = users.id AND at >= :since AND (:everybody = 1 OR users.id = :user_id);

-- name: usage.total
-- Sum what all users used in a time.
SELECT COUNT(DISTINCT turn_id), COUNT(*), COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0),
       COALESCE(SUM(cost), 0)
FROM users CROSS JOIN usage WHERE user_id = users.id AND at >= :since AND at < :until;

-- name: usage.first_tokens
-- List how long the newest calls since a time took to their first token.
SELECT first_token_s FROM users CROSS JOIN usage WHERE user_id = users.id AND at >= :since
ORDER BY at DESC LIMIT :most;

-- name: usage.by_user
-- Sum what each user spent in a time.
SELECT users.name, SUM(cost) FROM users CROSS JOIN usage
WHERE user_id = users.id AND at >= :since AND at < :until GROUP BY users.id, users.name;

-- name: usage.parts
-- Sum what was used in a time, by user and model.
SELECT users.name, provider, model, COUNT(*), SUM(tokens_in), SUM(tokens_out), SUM(cost)
FROM users CROSS JOIN usage WHERE user_id = users.id AND at >= :since AND at < :until
GROUP BY users.id, users.name, provider, model;

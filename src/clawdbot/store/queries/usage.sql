-- name: usage.add
-- Record what a model call used.
INSERT INTO usage (id, turn_id, user_id, route, provider, model, tokens_in, tokens_out,
                   first_token_s, whole_s, at)
VALUES (:id, :turn, :user, :route, :provider, :model, :tokens_in, :tokens_out,
        :first_token_s, :whole_s, :at)
ON CONFLICT (user_id, at, id) DO NOTHING;

-- name: usage.of_user
-- Sum what a user used since a time.
SELECT provider, model, COUNT(*), SUM(tokens_in), SUM(tokens_out) FROM usage
WHERE user_id = :user_id AND at >= :since GROUP BY provider, model ORDER BY provider, model;

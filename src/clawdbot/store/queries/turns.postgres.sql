
-- name: turns.holds
-- Check that a token still owns a turn, and lock the row.
SELECT stop FROM turns WHERE id = :id AND token = :token AND state = 'running' FOR UPDATE;


-- name: turns.holds
-- Check that a token still owns a turn; who writes has locked everything.
SELECT stop FROM turns WHERE id = :id AND token = :token AND state = 'running';

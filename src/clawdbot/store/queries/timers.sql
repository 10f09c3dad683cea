-- name: timers.add
-- Set a timer.
INSERT INTO timers (id, kind, subject, user_id, body, state, due_at, created_at)
VALUES (:id, :kind, :subject, :user_id, :body, 'waiting', :due_at, :created_at);

-- name: timers.due
-- List what is due of a kind.
SELECT id, kind, subject, user_id, body, due_at FROM timers
WHERE kind = :kind AND state = 'waiting' AND due_at <= :now ORDER BY due_at, id LIMIT :most;

-- name: timers.next
-- Tell when the next timer of a kind is due.
SELECT MIN(due_at) FROM timers WHERE kind = :kind AND state = 'waiting';

-- name: timers.end
-- Use a timer up, once.
UPDATE timers SET state = :state WHERE id = :id AND state = 'waiting';

-- name: timers.of_user
-- List a user's waiting timers of a kind.
SELECT id, kind, subject, user_id, body, due_at FROM timers
WHERE user_id = :user_id AND kind = :kind AND state = 'waiting' ORDER BY due_at, id;

-- name: timers.drop
-- Use up the timers of a subject that needs them no longer.
UPDATE timers SET state = 'dropped' WHERE kind = :kind AND subject = :subject AND state = 'waiting';

-- name: timers.erase
-- Forget a part of what is due to a user.
DELETE FROM timers WHERE id IN (
    SELECT id FROM timers WHERE user_id = :user_id AND kind <> 'wait' LIMIT :most);

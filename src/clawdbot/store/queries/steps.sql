-- name: steps.get
-- Read a step.
SELECT state, intent, outcome, source, taint FROM steps WHERE turn_id = :turn_id AND key = :key;

-- name: steps.unknown
-- Name the effects of a turn of which nobody knows whether they happened.
SELECT intent FROM steps s WHERE turn_id = :turn_id AND state = 'intent' AND NOT EXISTS (
    SELECT 1 FROM steps a WHERE a.turn_id = s.turn_id AND a.key = s.key || '/again')
ORDER BY key;

-- name: steps.intend
-- Record what is about to be done.
INSERT INTO steps (turn_id, key, state, user_id, intent, outcome, source, taint, at)
VALUES (:turn_id, :key, 'intent', :user_id, :intent, :empty, :source, :taint, :at);

-- name: steps.done
-- Record a step with its outcome, over its intent where there is one.
INSERT INTO steps (turn_id, key, state, user_id, intent, outcome, source, taint, at)
VALUES (:turn_id, :key, 'done', :user_id, :intent, :outcome, :source, :taint, :at)
ON CONFLICT (turn_id, key) DO UPDATE SET state = 'done', outcome = :outcome, source = :source,
                                         taint = :taint, at = :at
WHERE steps.state = 'intent';

-- name: steps.count
-- Count the steps of a turn.
SELECT COUNT(*) FROM steps WHERE turn_id = :turn_id;

-- name: steps.shrink
-- Keep only that the steps of a committed turn happened.
UPDATE steps SET intent = :empty, outcome = :empty WHERE turn_id = :turn_id;

-- name: waits.add
-- Record what a parked turn waits for.
INSERT INTO waits (id, turn_id, user_id, state, answer, created_at)
VALUES (:id, :turn_id, :user_id, 'open', :empty, :now);

-- name: waits.get
-- Read a wait.
SELECT id, turn_id, state, answer FROM waits WHERE id = :id;

-- name: waits.answer
-- Answer a wait, once.
UPDATE waits SET state = :state, answer = :answer WHERE id = :id AND state = 'open';

-- name: waits.close
-- Wait no longer: the turn has ended.
UPDATE waits SET state = 'closed' WHERE turn_id = :turn_id AND state = 'open' RETURNING id;

-- name: steps.forget
-- Forget the steps of a conversation's turns.
DELETE FROM steps WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = :id);

-- name: waits.forget
-- Forget what a conversation's turns waited for.
DELETE FROM waits WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = :id);

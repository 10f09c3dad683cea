-- name: inbox.seen
-- Find an earlier decision on the same delivery.
SELECT outcome, turn_id FROM inbox WHERE key = :key;

-- name: inbox.put
-- Record a delivery and its outcome.
INSERT INTO inbox (id, key, conversation_id, turn_id, user_id, platform, external, outcome, reason,
                   ref, album, place, body, at)
VALUES (:id, :key, :conversation, :turn, :user, :platform, :external, :outcome, :reason,
        :ref, :album, :place, :body, :at);

-- name: inbox.of_turn
-- List the deliveries that a turn answers, in order.
SELECT body FROM inbox WHERE turn_id = :turn_id AND outcome IN ('turn', 'joined') ORDER BY place;

-- name: inbox.count_of_turn
-- Count the deliveries of a turn.
SELECT COUNT(*) FROM inbox WHERE turn_id = :turn_id;

-- name: inbox.recent
-- Count what a sender had accepted or refused; what a clock that was set back put later is not recent.
SELECT COUNT(*) FROM inbox WHERE platform = :platform AND external = :external
                             AND at BETWEEN :since AND :until;

-- name: inbox.get
-- Read one delivery.
SELECT id, conversation_id, turn_id, user_id, platform, external, outcome, ref, body
FROM inbox WHERE id = :id;

-- name: inbox.by_ref
-- Find the delivery that first brought a platform's message, while its turn is not over.
SELECT id, conversation_id, turn_id, user_id, platform, external, outcome, ref, body
FROM inbox WHERE ref = :ref AND outcome IN ('turn', 'joined') AND turn_id IN (
    SELECT id FROM turns WHERE conversation_id = :conversation_id AND finished_at IS NULL)
ORDER BY place LIMIT 1;

-- name: inbox.rewrite
-- Replace what a delivery says, after an edit.
UPDATE inbox SET body = :body WHERE id = :id;

-- name: inbox.released
-- Turn a held delivery into a turn's.
UPDATE inbox SET outcome = 'turn', conversation_id = :conversation_id, turn_id = :turn_id,
                 user_id = :user_id
WHERE id = :id AND outcome = 'held';

-- name: inbox.forget
-- Forget what came for a conversation; that it came stays, against repetitions.
UPDATE inbox SET body = :empty
WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = :id);

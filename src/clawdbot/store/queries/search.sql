-- name: search.later
-- Note that a turn is to be indexed.
INSERT INTO unindexed (user_id, conversation_id, position, at)
VALUES (:user, :conversation, :position, :at);

-- name: search.behind
-- Tell whether anything is to be indexed.
SELECT EXISTS (SELECT 1 FROM unindexed);

-- name: search.next
-- Take the oldest that is to be indexed; of two who ask at once only one is given a row.
DELETE FROM unindexed WHERE id IN (SELECT id FROM unindexed ORDER BY id LIMIT :most)
RETURNING id, conversation_id, position, at, user_id;

-- name: search.not_later
-- Index nothing more of what a user said.
DELETE FROM unindexed WHERE user_id = :user;

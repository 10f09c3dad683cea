-- name: transcript.add
-- Append what was said.
INSERT INTO transcript (conversation_id, position, seq, session_id, turn_id, user_id, body, taint,
                        tokens, at)
VALUES (:conversation, :position, :seq, :session, :turn, :user, :body, :taint, :tokens,
        :at);

-- name: transcript.recent
-- Read a session backwards from a position, down to what a summary covers.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE session_id = :session_id AND position > :after AND position < :before
ORDER BY position DESC, seq DESC LIMIT :most;

-- name: transcript.page
-- Read a conversation backwards across its sessions, for showing.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE conversation_id = :conversation_id AND position < :before
ORDER BY position DESC, seq DESC LIMIT :most;

-- name: transcript.at
-- Read what was said in a turn.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE conversation_id = :conversation_id AND position = :position ORDER BY seq;

-- name: summaries.last
-- Read the latest summary of a session.
SELECT upto, body, source, taint, tokens FROM summaries
WHERE session_id = :session_id ORDER BY upto DESC LIMIT 1;

-- name: summaries.add
-- Keep a summary.
INSERT INTO summaries (session_id, upto, user_id, body, source, taint, tokens, at)
VALUES (:session_id, :upto, :user_id, :body, :source, :taint, :tokens, :at)
ON CONFLICT (session_id, upto) DO NOTHING;

-- name: transcript.forget
-- Forget what was said in a conversation.
DELETE FROM transcript WHERE conversation_id = :id;

-- name: summaries.forget
-- Forget what stands for a conversation's turns.
DELETE FROM summaries WHERE session_id IN (
    SELECT session_id FROM turns WHERE conversation_id = :id
    UNION SELECT session_id FROM transcript WHERE conversation_id = :id);

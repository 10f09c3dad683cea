-- name: transcript.add
-- Append what was said.
INSERT INTO transcript (conversation_id, position, seq, session_id, turn_id, user_id, body, taint,
                        tokens, at)
VALUES (:conversation, :position, :seq, :session, :turn, :user, :body, :taint, :tokens,
        :at);

-- name: transcript.recent
-- Read a session backwards from a position, down to what a summary covers.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE session_id = :session_id AND position > :after AND position < :before AND superseded_by = ''
ORDER BY position DESC, seq DESC LIMIT :most;

-- name: transcript.page
-- Read a conversation backwards across its sessions, for showing.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE conversation_id = :conversation_id AND position < :before AND superseded_by = ''
ORDER BY position DESC, seq DESC LIMIT :most;

-- name: transcript.at
-- Read what was said in a turn.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE conversation_id = :conversation_id AND position = :position AND superseded_by = ''
ORDER BY seq;

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

-- name: transcript.onwards
-- Read a conversation forwards, for showing.
SELECT position, body, tokens, turn_id, user_id, at FROM transcript
WHERE conversation_id = :conversation_id AND position > :after AND position < :before
  AND superseded_by = ''
ORDER BY position, seq LIMIT :most;

-- name: transcript.supersede
-- Have another turn stand in a turn's place.
UPDATE transcript SET superseded_by = :by
WHERE conversation_id = :conversation_id AND position = :position;

-- name: transcript.superseded
-- List which turns stand in the place of which others.
SELECT DISTINCT superseded_by, turn_id FROM transcript
WHERE conversation_id = :conversation_id AND superseded_by <> '';

-- name: summaries.unsay
-- Forget the summaries of a session that speak for a position.
DELETE FROM summaries WHERE session_id = :session_id AND upto >= :position;

-- name: search.add
-- Index what was said in a turn.
INSERT INTO search (user_id, conversation_id, words, position, at)
VALUES (:user, :conversation, :words, :position, :at);

-- name: search.find
-- Find a user's turns by their words, newest first.
SELECT rowid, conversation_id, position, at FROM search
WHERE search MATCH 'user_id : "' || :user || '" AND words : (' || :match || ')'
  AND user_id = :user AND rowid < :before
ORDER BY rowid DESC LIMIT :most;

-- name: search.forget
-- Forget what a user said.
DELETE FROM search WHERE search MATCH 'user_id : "' || :user || '"' AND user_id = :user;

-- name: search.forget_conversation
-- Forget what was said in a conversation.
DELETE FROM search
WHERE search MATCH 'conversation_id : "' || :conversation || '"' AND conversation_id = :conversation;

-- name: search.purge
-- Write the index anew, so that forgotten words are in no part of it.
INSERT INTO search (search) VALUES ('optimize');

-- name: search.forget_turn
-- Forget what was said in a turn.
DELETE FROM search
WHERE search MATCH 'conversation_id : "' || :conversation || '"' AND conversation_id = :conversation
  AND position = :position;

-- name: search.forget_some
-- Forget a part of what a user said.
DELETE FROM search WHERE rowid IN (
    SELECT rowid FROM search
    WHERE search MATCH 'user_id : "' || :user || '"' AND user_id = :user LIMIT :most);

-- name: search.merge
-- Write a part of the index anew; in the end forgotten words are in no part of it.
INSERT INTO search (search, rank) VALUES ('merge', :pages);

-- name: search.changes
-- Count the changes so far.
SELECT total_changes();

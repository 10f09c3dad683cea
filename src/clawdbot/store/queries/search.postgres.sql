-- name: search.add
-- Index what was said in a turn; no parser of the server's reads the words.
INSERT INTO search (user_id, conversation_id, words, position, at)
SELECT :user, :conversation, string_agg('''' || word || ''':' || place, ' ')::tsvector,
       :position, :at
FROM unnest(string_to_array(:words, ' ')) WITH ORDINALITY AS each (word, place);

-- name: search.find
-- Find a user's turns by their words, newest first.
SELECT id, conversation_id, position, at FROM search
WHERE user_id = :user AND words @@ :query::tsquery AND id < :before
ORDER BY id DESC LIMIT :most;

-- name: search.forget
-- Forget what a user said.
DELETE FROM search WHERE user_id = :user;

-- name: search.forget_conversation
-- Forget what was said in a conversation.
DELETE FROM search WHERE conversation_id = :conversation;

-- name: search.purge
-- Nothing to do: the server cleans up after deletions by itself.
SELECT 1;

-- name: search.forget_turn
-- Forget what was said in a turn.
DELETE FROM search WHERE conversation_id = :conversation AND position = :position;

-- name: search.forget_some
-- Forget a part of what a user said.
DELETE FROM search WHERE id IN (SELECT id FROM search WHERE user_id = :user LIMIT :most);

-- name: search.merge
-- Nothing to do: the server cleans up after deletions by itself.
SELECT :pages::bigint;

-- name: search.changes
-- Count nothing.
SELECT 0;

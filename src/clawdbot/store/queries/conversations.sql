-- name: conversations.find
-- Find the conversation of a scope.
SELECT id, receiver, scope, user_id, address, title, model, session_id, session_from, session_last,
       next_position
FROM conversations WHERE receiver = :receiver AND scope = :scope;

-- name: conversations.get
-- Read a conversation.
SELECT id, receiver, scope, user_id, address, title, model, session_id, session_from, session_last,
       next_position
FROM conversations WHERE id = :id;

-- name: conversations.add
-- Begin a conversation.
INSERT INTO conversations (id, receiver, scope, user_id, address, title, model, session_id,
                           session_from, session_last, next_position, created_at)
VALUES (:id, :receiver, :scope, :user_id, :address, :title, :model, :session_id, :now, :now, 1, :now);

-- name: conversations.advance
-- Lock the conversation and take its next position.
UPDATE conversations SET next_position = next_position + 1
WHERE id = :id RETURNING next_position - 1;

-- name: conversations.heard
-- Lock the conversation, note when its session last heard something, and take the next position.
UPDATE conversations SET session_last = :now, session_id = :session_id, session_from = :session_from,
                         next_position = next_position + 1
WHERE id = :id RETURNING next_position - 1;

-- name: conversations.touch
-- Note when the session last heard something.
UPDATE conversations SET session_last = :now, session_id = :session_id, session_from = :session_from
WHERE id = :id;

-- name: conversations.title
-- Name a conversation.
UPDATE conversations SET title = :title WHERE id = :id;

-- name: conversations.model
-- Choose a route for a conversation.
UPDATE conversations SET model = :model WHERE id = :id;

-- name: conversations.of_user
-- List a user's conversations on a receiver, newest first, from behind one of them on.
SELECT id, receiver, scope, user_id, address, title, model, session_id, session_from, session_last,
       next_position
FROM conversations WHERE user_id = :user_id AND receiver = :receiver
                     AND (session_last, id) < (:before, :before_id)
ORDER BY session_last DESC, id DESC LIMIT :most;

-- name: conversations.forget
-- Forget a conversation, after all that names it.
DELETE FROM conversations WHERE id = :id;

-- name: conversations.of_groups
-- List the conversations of a receiver's groups.
SELECT id, receiver, scope, user_id, address, title, model, session_id, session_from, session_last,
       next_position
FROM conversations WHERE receiver = :receiver AND SUBSTR(scope, 1, 6) = 'group:';

-- name: conversations.move
-- Give a conversation another scope and address.
UPDATE conversations SET scope = :scope, address = :address WHERE id = :id;

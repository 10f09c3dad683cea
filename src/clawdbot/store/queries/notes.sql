-- name: notes.add
-- Keep a note.
INSERT INTO notes (id, user_id, body, source, taint, at)
VALUES (:id, :user_id, :body, :source, :taint, :at);

-- name: notes.list
-- List a user's notes, newest first.
SELECT id, body, source, taint, at FROM notes WHERE user_id = :user_id ORDER BY at DESC, id DESC
LIMIT :most;

-- name: notes.remove
-- Forget a note.
DELETE FROM notes WHERE id = :id AND user_id = :user_id;

-- name: notes.erase
-- Forget a part of a user's notes.
DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE user_id = :user_id LIMIT :most);

-- name: media.add
-- Keep that a user has a file.
INSERT INTO media (id, user_id, hash, name, kind, size, created_at)
VALUES (:id, :user_id, :hash, :name, :kind, :size, :created_at);

-- name: media.get
-- Read a user's file.
SELECT id, user_id, hash, name, kind, size, created_at FROM media
WHERE id = :id AND user_id = :user_id;

-- name: media.used
-- Sum up what a user has.
SELECT COALESCE(SUM(size), 0) FROM media WHERE user_id = :user_id;

-- name: media.said
-- Note in which conversation a file was first part of a message.
UPDATE media SET said_at = :now, said_in = :conversation WHERE id = :id AND said_at IS NULL;

-- name: media.known
-- List the hashes of a range that somebody has.
SELECT DISTINCT hash FROM media WHERE hash >= :first AND hash <= :last;

-- name: media.expire
-- Forget files of a certain age, and those of another that were never sent.
DELETE FROM media WHERE created_at <= :old OR (created_at <= :unsent AND said_at IS NULL);

-- name: media.forget_conversation
-- Forget the files of a conversation.
DELETE FROM media WHERE said_in = :id;

-- name: media.forget
-- Forget some of a user's files.
DELETE FROM media WHERE id IN (SELECT id FROM media WHERE user_id = :user_id LIMIT :most) RETURNING hash;

-- A group whose chat the platform gave another id: under the old one a row stays that names the new one, for
-- what still comes from there or answers there.
ALTER TABLE group_chats ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';

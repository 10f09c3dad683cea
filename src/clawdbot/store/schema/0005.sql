-- A person's conversations, newest first, however many they are.
DROP INDEX conversations_user;
CREATE INDEX conversations_recent ON conversations (user_id, receiver, session_last, id);

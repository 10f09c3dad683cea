-- What a person said anew: `superseded_by` names the turn that stands in this one's place. What was said
-- before stays, and is neither shown nor given to a model.
ALTER TABLE transcript ADD COLUMN superseded_by TEXT NOT NULL DEFAULT '';
CREATE INDEX transcript_superseded ON transcript (conversation_id) WHERE superseded_by <> '';

-- A person's conversations, newest first, however many they are.
DROP INDEX conversations_user;
CREATE INDEX conversations_recent ON conversations (user_id, receiver, session_last, id);

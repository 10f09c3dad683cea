-- name: groups.heard
-- Note that something came from a group; a known one keeps its policy.
INSERT INTO group_chats (id, receiver, chat, channel, account, name, answers, speaks, ceiling, language,
                         created_at, seen_at)
VALUES (:id, :receiver, :chat, :channel, :account, :name, :answers, :speaks, :ceiling, :language,
        :created_at, :seen_at)
ON CONFLICT (receiver, chat) DO UPDATE SET
    name = CASE WHEN excluded.name = '' THEN group_chats.name ELSE excluded.name END,
    channel = excluded.channel, account = excluded.account, seen_at = excluded.seen_at
RETURNING id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at,
          seen_at;

-- name: groups.of_turn
-- Find the group that a conversation's turn answers in.
SELECT g.id, g.receiver, g.chat, g.channel, g.account, g.name, g.answers, g.speaks, g.ceiling, g.language,
       g.created_at, g.seen_at
FROM conversations c JOIN group_chats g ON g.receiver = c.receiver
WHERE c.id = :conversation_id AND g.chat = :chat;

-- name: groups.of_address
-- Find the group at an address, the one that was heard last where an account had several receivers.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats WHERE channel = :channel AND account = :account AND chat = :chat
ORDER BY seen_at DESC, id LIMIT 1;

-- name: groups.list
-- List the groups, the latest heard first.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats ORDER BY seen_at DESC, id LIMIT 500;

-- name: groups.get
-- Read a group.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats WHERE id = :id;

-- name: groups.put
-- Keep a group's policy.
UPDATE group_chats SET answers = :answers, speaks = :speaks, ceiling = :ceiling, language = :language
WHERE id = :id;

-- name: groups.forget
-- Forget a group and its policy.
DELETE FROM group_chats WHERE id = :id;

-- name: groups.unfinished
-- List the unfinished turns of a receiver.
SELECT t.id, t.conversation_id, t.session_id, t.position, t.user_id, t.address, t.reply_to, t.state, t.stop,
       t.attempts, t.steps, t.steps_seen, t.node, t.token, t.version, t.body, t.created_at, t.claimed_at
FROM turns t JOIN conversations c ON c.id = t.conversation_id
WHERE t.finished_at IS NULL AND c.receiver = :receiver;

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
          seen_at, moved_to;

-- name: groups.of_turn
-- Find the group that a conversation's turn answers in, also by an id that it had before.
SELECT g.id, g.receiver, g.chat, g.channel, g.account, g.name, g.answers, g.speaks, g.ceiling, g.language,
       g.created_at, g.seen_at
FROM conversations c JOIN group_chats g ON g.receiver = c.receiver
WHERE c.id = :conversation_id
  AND g.chat = COALESCE((SELECT b.moved_to FROM group_chats b
                         WHERE b.receiver = c.receiver AND b.chat = :chat AND b.moved_to <> ''), :chat);

-- name: groups.of_address
-- Find the group at an address, also by an id that its chat had before; of several the last heard.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats WHERE channel = :channel AND account = :account
  AND chat = COALESCE((SELECT MAX(b.moved_to) FROM group_chats b
                       WHERE b.channel = :channel AND b.account = :account AND b.chat = :chat
                         AND b.moved_to <> ''), :chat)
ORDER BY seen_at DESC, id LIMIT 1;

-- name: groups.list
-- List the groups, the latest heard first.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats WHERE moved_to = '' ORDER BY seen_at DESC, id LIMIT 500;

-- name: groups.get
-- Read a group.
SELECT id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at, seen_at
FROM group_chats WHERE id = :id AND moved_to = '';

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

-- name: groups.before
-- List the ids that a group's chat had before.
SELECT chat FROM group_chats WHERE receiver = :receiver AND moved_to = :chat;

-- name: groups.at
-- Find the id of a chat's group.
SELECT id FROM group_chats WHERE receiver = :receiver AND chat = :chat AND moved_to = '';

-- name: groups.leave
-- Have a group's row name the chat that goes on in its place, once, and give its own id away.
UPDATE group_chats SET id = :left, moved_to = :moved_to WHERE id = :id AND moved_to = ''
RETURNING id, receiver, chat, channel, account, name, answers, speaks, ceiling, language, created_at,
          seen_at, moved_to;

-- name: groups.make_way
-- Forget what was heard of a chat before it was known which group it is.
DELETE FROM group_chats WHERE receiver = :receiver AND chat = :chat;

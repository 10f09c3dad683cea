-- name: erasure.begin
-- Note that a user is being erased.
INSERT INTO erasures (user_id, erased_at) VALUES (:user_id, :now)
ON CONFLICT (user_id) DO UPDATE SET finished_at = NULL;

-- name: erasure.finish
-- Note that nothing of them is left.
UPDATE erasures SET finished_at = :now WHERE user_id = :user_id;

-- name: erasure.list
-- List who was erased, or is.
SELECT user_id, erased_at, finished_at FROM erasures ORDER BY erased_at, user_id;

-- name: erasure.counts
-- Count what is a user's.
SELECT (SELECT COUNT(*) FROM conversations WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM turns WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM inbox WHERE user_id = :user_id AND (external <> '' OR LENGTH(body) > 0)),
       (SELECT COUNT(*) FROM outbox WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM approvals WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM media WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM notes WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM timers WHERE user_id = :user_id AND kind <> 'wait' AND state = 'waiting'),
       (SELECT COUNT(*) FROM usage WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM identities WHERE user_id = :user_id),
       (SELECT COUNT(*) FROM logins WHERE user_id = :user_id);

-- name: erasure.turns
-- List a user's turns, wherever they are, from behind one on.
SELECT id, conversation_id, session_id, position FROM turns
WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :most;

-- name: erasure.lanes
-- List a user's conversations, from behind one on.
SELECT id, receiver, scope, user_id, address, title, model, session_id, session_from, session_last,
       next_position
FROM conversations WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :most;

-- name: erasure.outbox
-- List what was to be delivered to a user, from behind a row on.
SELECT id FROM outbox WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :most;

-- name: erasure.inbox
-- List the deliveries that tell of a user, or of which nobody knows whom they tell of.
SELECT id FROM inbox
WHERE id > :after AND (external <> '' OR LENGTH(body) > 0)
  AND (user_id = :user_id OR (outcome = 'unreadable' AND external = '') OR EXISTS (
      SELECT 1 FROM identities i WHERE i.user_id = :user_id AND i.platform IN (inbox.platform, inbox.platform || '.groups')
                                   AND i.external = inbox.external))
ORDER BY id LIMIT :most;

-- name: erasure.inbox_row
-- Forget what a delivery said and who sent it; that it came stays, against repetitions.
UPDATE inbox SET body = :empty, external = '', reason = '', ref = '', album = '' WHERE id = :id;

-- name: erasure.inbox_turn
-- Forget what a turn's deliveries said and who sent them.
UPDATE inbox SET body = :empty, external = '', reason = '', ref = '', album = ''
WHERE turn_id = :id;

-- name: erasure.outbox_row
-- Forget a message.
DELETE FROM outbox WHERE id = :id;

-- name: erasure.outbox_strange
-- Forget what a destination was told before it was known whose it is.
DELETE FROM outbox WHERE destination = :destination AND user_id = '';

-- name: erasure.summaries
-- Forget what stands for the turns of a session.
DELETE FROM summaries WHERE session_id = :id;

-- name: erasure.transcript
-- Forget what was said in a turn.
DELETE FROM transcript
WHERE conversation_id = :conversation_id AND position = :position AND user_id = :user_id;

-- name: erasure.approvals
-- Forget what a turn asked.
DELETE FROM approvals WHERE turn_id = :id;

-- name: erasure.waits
-- Forget what a turn waited for.
DELETE FROM waits WHERE turn_id = :id;

-- name: erasure.steps
-- Forget a turn's steps.
DELETE FROM steps WHERE turn_id = :id;

-- name: erasure.turn
-- Forget a turn, after all that names it.
DELETE FROM turns WHERE id = :id;

-- name: erasure.unowned
-- Leave a conversation to the others in it.
UPDATE conversations SET user_id = '', title = '' WHERE id = :id;

-- name: erasure.usage
-- Forget a part of what a user used.
DELETE FROM usage WHERE user_id = :user_id AND (at, id) IN (
    SELECT at, id FROM usage WHERE user_id = :user_id ORDER BY at, id LIMIT :most);

-- name: erasure.timers
-- Forget a part of a user's timers, of every kind.
DELETE FROM timers WHERE id IN (SELECT id FROM timers WHERE user_id = :user_id LIMIT :most);

-- name: erasure.pairings
-- Forget a part of what tells that a user once was a stranger.
DELETE FROM pairings WHERE code_hash IN (
    SELECT p.code_hash FROM pairings p JOIN identities i
        ON i.external = p.external AND i.platform IN (p.platform, p.platform || '.groups')
    WHERE i.user_id = :user_id LIMIT :most);

-- name: erasure.codes
-- Forget a part of the codes by which a user came in or linked an account.
DELETE FROM codes WHERE hash IN (
    SELECT c.hash FROM codes c
    WHERE (c.state <> 'open' AND c.name <> '' AND c.name = (SELECT name FROM users WHERE id = :user_id))
       OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = :user_id AND i.platform IN (c.platform, c.platform || '.groups')
                                                AND i.external = c.external)
    LIMIT :most);

-- name: erasure.identities
-- Forget a part of a user's accounts on platforms.
DELETE FROM identities WHERE user_id = :user_id AND (platform, external) IN (
    SELECT platform, external FROM identities WHERE user_id = :user_id LIMIT :most);

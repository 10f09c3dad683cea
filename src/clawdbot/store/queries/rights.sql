-- name: roles.all
-- Read every role beyond the built-in ones.
SELECT name, body FROM roles ORDER BY name;

-- name: roles.put
-- Keep a role.
INSERT INTO roles (name, body, created_at) VALUES (:name, :body, :now)
ON CONFLICT (name) DO UPDATE SET body = :body;

-- name: roles.remove
-- Forget a role that nobody has.
DELETE FROM roles WHERE name = :name AND NOT EXISTS (SELECT 1 FROM users WHERE role = :name);

-- name: standings.add
-- Keep a standing yes.
INSERT INTO standings (id, user_id, tool, pattern, conversation_id, granted_by, created_at, expires_at)
VALUES (:id, :user_id, :tool, :pattern, :conversation_id, :granted_by, :created_at, :expires_at);

-- name: standings.of
-- List what stands for a user in a conversation.
-- What somebody else gave stands only as long as they run the place.
SELECT s.id, s.tool, s.pattern FROM standings s
WHERE s.user_id IN (:user_id, '') AND s.conversation_id IN (:conversation_id, '')
  AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (s.granted_by IN (:user_id, '') OR EXISTS (
      SELECT 1 FROM users u WHERE u.id = s.granted_by AND u.disabled_at IS NULL
                              AND u.role IN ('owner', 'admin')))
ORDER BY s.id;

-- name: standings.list
-- List what was allowed or refused in advance and not taken back, newest first.
SELECT id, user_id, tool, pattern, conversation_id, granted_by, created_at, expires_at, 0 AS never
FROM standings WHERE revoked_at IS NULL
UNION ALL
SELECT id, user_id, tool, pattern, '', granted_by, created_at, expires_at, 1
FROM refusals WHERE revoked_at IS NULL
ORDER BY id DESC LIMIT :most;

-- name: standings.revoke
-- Take a standing yes back.
UPDATE standings SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: standings.revoke_tool
-- Take back every standing yes for a tool.
UPDATE standings SET revoked_at = :now WHERE tool = :tool AND revoked_at IS NULL;

-- name: refusals.add
-- Keep a standing no.
INSERT INTO refusals (id, user_id, tool, pattern, granted_by, created_at, expires_at)
VALUES (:id, :user_id, :tool, :pattern, :granted_by, :created_at, :expires_at);

-- name: refusals.of
-- List what is refused to a user, whoever refused it: a no holds until it is taken back.
SELECT id, tool, pattern FROM refusals
WHERE user_id IN (:user_id, '') AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
ORDER BY id;

-- name: refusals.revoke
-- Take a standing no back.
UPDATE refusals SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: refusals.revoke_tool
-- Take back every standing no for a tool.
UPDATE refusals SET revoked_at = :now WHERE tool = :tool AND revoked_at IS NULL;

-- name: refusals.erase
-- Forget a part of what a user was refused.
DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE user_id = :user_id LIMIT :most);

-- name: refusals.unsign
-- Forget of a part who refused it to others; the no stays.
UPDATE refusals SET granted_by = '' WHERE id IN (
    SELECT id FROM refusals WHERE granted_by = :user_id LIMIT :most);

-- name: approvals.add
-- Ask for a yes.
INSERT INTO approvals (id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope,
                       decided_by, created_at, expires_at)
VALUES (:id, :turn_id, :conversation_id, :user_id, :epoch, :code, :hash, :body, 'open', '', '',
        :created_at, :expires_at);

-- name: approvals.get
-- Read an approval.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE id = :id;

-- name: approvals.by_code
-- Find the open approvals with a code.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE state = 'open' AND code = :code AND epoch = :epoch ORDER BY created_at;

-- name: approvals.of_turn
-- List what a turn asked, in order.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE turn_id = :turn_id ORDER BY id;

-- name: approvals.open
-- List what waits for an answer, oldest first.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE state = 'open' AND epoch = :epoch AND (:user_id = '' OR user_id = :user_id)
ORDER BY created_at LIMIT :most;

-- name: approvals.decided
-- List what was asked and decided, newest first.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE state <> 'open' AND (:user_id = '' OR user_id = :user_id)
ORDER BY id DESC LIMIT :most;

-- name: approvals.of_conversation
-- List what waits in a conversation.
SELECT id, turn_id, conversation_id, user_id, epoch, code, hash, body, state, scope, decided_by,
       created_at, expires_at, decided_at
FROM approvals WHERE state = 'open' AND conversation_id = :conversation_id ORDER BY id;

-- name: approvals.decide
-- Answer an approval, once.
UPDATE approvals SET state = :state, scope = :scope, decided_by = :decided_by, decided_at = :now
WHERE id = :id AND state = 'open';

-- name: approvals.close
-- End what a turn still asks.
UPDATE approvals SET state = :state, decided_by = :decided_by, decided_at = :now
WHERE turn_id = :turn_id AND state = 'open' RETURNING id;

-- name: approvals.taken
-- Tell whether a code is in use, or was lately.
SELECT COUNT(*) FROM (SELECT code FROM approvals ORDER BY id DESC LIMIT 1000) lately
WHERE code = :code;

-- name: approvals.depth
-- Count what waits for an answer, and tell since when.
SELECT COUNT(*), MIN(created_at) FROM approvals
WHERE state = 'open' AND epoch = :epoch AND (:user_id = '' OR user_id = :user_id);

-- name: rights.calls
-- Count the calls of a tool by a user since a time.
SELECT COUNT(*) FROM audit WHERE user_id = :user_id AND at >= :since AND what = :what
                             AND kind = 'effect' AND decision = 'allow';

-- name: approvals.newest
-- Name what was asked last.
SELECT COALESCE(MAX(id), '') FROM approvals;

-- name: approvals.in_conversation
-- Name everything that was asked in a conversation.
SELECT id FROM approvals WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = :id);

-- name: approvals.forget
-- Forget what was asked in a conversation.
DELETE FROM approvals WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = :id);

-- name: standings.revoke_in
-- Take back every standing yes for a conversation.
UPDATE standings SET revoked_at = :now WHERE conversation_id = :id AND revoked_at IS NULL;

-- name: standings.erase
-- Forget a part of what a user was allowed in advance, and of what they allowed others.
DELETE FROM standings WHERE id IN (
    SELECT id FROM standings WHERE user_id = :user_id OR granted_by = :user_id LIMIT :most);

-- name: turns.add
-- Queue a turn.
INSERT INTO turns (id, conversation_id, session_id, position, user_id, address, reply_to, state, stop,
                   attempts, steps, steps_seen, node, token, version, body, created_at, claimed_at)
VALUES (:id, :conversation_id, :session_id, :position, :user_id, :address, :reply_to, :state, :stop,
        :attempts, :steps, :steps_seen, :node, :token, :version, :body, :created_at, :claimed_at);

-- name: turns.get
-- Read a turn.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE id = :id;

-- name: turns.head
-- Find the earliest unfinished, unparked turn of a conversation.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = :conversation_id AND finished_at IS NULL
             AND state <> 'parked'
ORDER BY position LIMIT 1;

-- name: turns.parked
-- Find the last parked turn of a conversation.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = :conversation_id AND finished_at IS NULL AND state = 'parked'
ORDER BY position DESC LIMIT 1;

-- name: turns.front
-- Find the earliest unfinished, unparked turn of the conversation that a turn belongs to.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = (SELECT conversation_id FROM turns WHERE id = :id)
             AND finished_at IS NULL AND state <> 'parked'
ORDER BY position LIMIT 1;

-- name: turns.unclaimed
-- Find the last turn of a user in a conversation that nobody claimed yet.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = :conversation_id AND user_id = :user_id AND finished_at IS NULL
             AND claimed_at IS NULL
ORDER BY position DESC LIMIT 1;

-- name: turns.unfinished
-- List the unfinished turns of a conversation, in order.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = :conversation_id AND finished_at IS NULL ORDER BY position;

-- name: turns.waiting
-- Count the unfinished turns of a conversation.
SELECT COUNT(*) FROM turns WHERE conversation_id = :conversation_id AND finished_at IS NULL;

-- name: turns.progress
-- Count a step that was recorded.
UPDATE turns SET steps = steps + 1 WHERE id = :id;

-- name: turns.claim
-- Take a ready turn for a node.
UPDATE turns SET state = 'running', node = :node, token = :token, attempts = :attempts,
                 steps_seen = steps, claimed_at = :now
WHERE id = :id AND state = 'ready'
RETURNING id, conversation_id, session_id, position, user_id, address, reply_to, state, stop,
          attempts, steps, steps_seen, node, token, version, body, created_at, claimed_at;

-- name: turns.record
-- Store the state after a step; no row when the token is not ours any more.
UPDATE turns SET body = :body, version = :version, steps = steps + 1
WHERE id = :id AND token = :token AND state = 'running';

-- name: turns.finish
-- End a turn.
UPDATE turns SET state = :state, finished_at = :now, body = :body, steps = steps + 1
WHERE id = :id AND token = :token AND state = 'running';

-- name: turns.close
-- End a turn that nobody runs.
UPDATE turns SET state = :state, finished_at = :now WHERE id = :id AND state IN ('ready', 'parked');

-- name: turns.stop
-- Mark a turn to stop.
UPDATE turns SET stop = :stop WHERE id = :id AND finished_at IS NULL;

-- name: turns.park
-- Give up the lane until something happens.
UPDATE turns SET state = 'parked', node = '', token = '', body = :body, version = :version,
                 steps = steps + 1
WHERE id = :id AND token = :token AND state = 'running';

-- name: turns.unpark
-- Enter the lane again, at its tail.
UPDATE turns SET state = 'ready', position = :position, attempts = 0
WHERE id = :id AND state = 'parked';

-- name: turns.release
-- Give a turn back untried, at a clean stop.
UPDATE turns SET state = 'ready', attempts = attempts - 1, node = '', token = ''
WHERE id = :id AND token = :token AND state = 'running';

-- name: turns.retry
-- Give a turn back after a failed try.
UPDATE turns SET state = 'ready', node = '', token = ''
WHERE id = :id AND token = :token AND state = 'running';

-- name: turns.recover
-- Give back what an earlier life of this node was running.
UPDATE turns SET state = 'ready', node = '', token = ''
WHERE state = 'running' AND node = :node AND finished_at IS NULL;

-- name: turns.set_aside
-- Park, as they are, turns whose state only a newer version can read.
UPDATE turns SET state = 'parked' WHERE state = 'ready' AND finished_at IS NULL
                                    AND version > :version;

-- name: turns.newer
-- Count the turns whose state only a newer version can read.
SELECT COUNT(*) FROM turns WHERE finished_at IS NULL AND version > :version;

-- name: turns.resumable
-- List turns that were set aside and that this version can read.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns t WHERE state = 'parked' AND finished_at IS NULL AND version <= :version
    AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.turn_id = t.id AND w.state = 'open')
ORDER BY created_at, id;

-- name: turns.ready
-- List ready turns whose turn it is.
SELECT t.id FROM turns t
WHERE t.state = 'ready' AND t.finished_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM turns e WHERE e.conversation_id = t.conversation_id
       AND e.position < t.position AND e.finished_at IS NULL AND e.state <> 'parked')
ORDER BY t.created_at LIMIT :most;

-- name: turns.dead
-- List dead-lettered turns.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE state = 'dead' ORDER BY created_at DESC LIMIT :most;

-- name: turns.counts
-- Count the turns by what they are doing.
SELECT state, COUNT(*) FROM turns WHERE finished_at IS NULL GROUP BY state
UNION ALL SELECT state, COUNT(*) FROM turns WHERE state = 'dead' GROUP BY state;

-- name: turns.oldest
-- Tell since when the oldest waiting turn waits.
SELECT MIN(created_at) FROM turns WHERE finished_at IS NULL AND state <> 'parked';

-- name: turns.forget
-- Forget a conversation's turns, after all that names them.
DELETE FROM turns WHERE conversation_id = :id;

-- name: turns.last
-- Find the last turn of a conversation.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE conversation_id = :conversation_id ORDER BY position DESC LIMIT 1;

-- name: turns.of_user
-- List the unfinished turns of a user that nobody stopped yet.
SELECT id, conversation_id, session_id, position, user_id, address, reply_to, state, stop, attempts,
       steps, steps_seen, node, token, version, body, created_at, claimed_at
FROM turns WHERE user_id = :user_id AND finished_at IS NULL AND stop = ''
ORDER BY created_at, id LIMIT :most;

-- name: outbox.add
-- Queue a message behind a destination's others; nothing where the row exists.
INSERT INTO outbox (id, destination, position, address, turn_id, user_id, kind, stub_id, body, state,
                    attempts, ref, reason, not_before, created_at)
VALUES (:id, :destination,
        (SELECT COALESCE(MAX(position), 0) + 1 FROM outbox WHERE destination = :destination), :address, :turn, :user, :kind, :stub, :body,
        'pending', 0, '', '', 0, :created_at)
ON CONFLICT (id) DO NOTHING;

-- name: outbox.get
-- Read a row.
SELECT id, destination, position, address, turn_id, user_id, kind, stub_id, body, state, attempts,
       ref, not_before, created_at
FROM outbox WHERE id = :id;

-- name: outbox.between
-- List rows by their ids, those that put a question without those that end it.
SELECT id, destination, position, address, turn_id, user_id, kind, stub_id, body, state, attempts,
       ref, not_before, created_at
FROM outbox WHERE id > :low AND id < :high AND stub_id = '' ORDER BY id;

-- name: outbox.open
-- List what a destination still has to get, in order.
SELECT id, destination, position, address, turn_id, user_id, kind, stub_id, body, state, attempts,
       ref, not_before, created_at
FROM outbox WHERE destination = :destination AND state IN ('pending', 'sending')
ORDER BY position LIMIT :most;

-- name: outbox.destinations
-- List the destinations that still have to get something.
SELECT DISTINCT destination FROM outbox WHERE state IN ('pending', 'sending');

-- name: outbox.mark
-- Change a row's state.
UPDATE outbox SET state = :state, attempts = :attempts, ref = :ref, reason = :reason,
                  not_before = :not_before, sent_at = :sent_at
WHERE id = :id AND state IN ('pending', 'sending');

-- name: outbox.renew
-- Send a stub anew, because the one that was shown is gone.
UPDATE outbox SET state = 'pending', ref = '' WHERE id = :id AND state = 'sent';

-- name: outbox.move
-- Have a row go to another destination, behind what that waits for.
UPDATE outbox SET destination = :destination, address = :address, body = :body,
                  position = (SELECT COALESCE(MAX(position), 0) + 1 FROM outbox
                              WHERE destination = :destination)
WHERE id = :id;

-- name: outbox.depth
-- Count what waits, and tell since when.
SELECT COUNT(*), MIN(created_at) FROM outbox WHERE state IN ('pending', 'sending');

-- name: outbox.failed
-- List what could not be delivered, newest first.
SELECT id, destination, position, address, turn_id, user_id, kind, stub_id, body, state, attempts,
       ref, not_before, created_at
FROM outbox WHERE state IN ('dead', 'unknown') ORDER BY created_at DESC LIMIT :most;

-- name: outbox.blank
-- Forget what rows said that are over, by their ids.
UPDATE outbox SET body = :empty
WHERE id > :low AND id < :high AND state NOT IN ('pending', 'sending');

-- name: outbox.reword
-- Say something else in what a row still has to send.
UPDATE outbox SET body = :body WHERE id = :id AND state IN ('pending', 'sending');

-- name: outbox.waiting_between
-- List rows that wait, by their ids.
SELECT id, destination, position, address, turn_id, user_id, kind, stub_id, body, state, attempts,
       ref, not_before, created_at
FROM outbox WHERE id > :low AND id < :high AND state IN ('pending', 'sending') ORDER BY id;

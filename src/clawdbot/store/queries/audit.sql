-- name: audit.head
-- Read the end of a chain.
SELECT place, hash FROM audit WHERE chain = :chain ORDER BY place DESC LIMIT 1;

-- name: audit.append
-- Add a row to its chain.
INSERT INTO audit (chain, place, at, user_id, turn_id, step, kind, what, decision, rule, arguments,
    outcome, payload, previous, hash)
VALUES (:chain, :place, :at, :user_id, :turn_id, :step, :kind, :what, :decision, :rule, :arguments,
    :outcome, :payload, :previous, :hash);

-- name: audit.chains
-- List the chains, leaping from one to the next along the key.
WITH RECURSIVE chains (chain) AS (
    SELECT MIN(chain) FROM audit
    UNION ALL
    SELECT (SELECT MIN(a.chain) FROM audit a WHERE a.chain > chains.chain) FROM chains
    WHERE chains.chain IS NOT NULL
)
SELECT chain FROM chains WHERE chain IS NOT NULL;

-- name: audit.fresh
-- Read the end of every chain that went on since its last checkpoint.
WITH RECURSIVE chains (chain) AS (
    SELECT MIN(chain) FROM audit
    UNION ALL
    SELECT (SELECT MIN(a.chain) FROM audit a WHERE a.chain > chains.chain) FROM chains
    WHERE chains.chain IS NOT NULL
)
SELECT a.chain, a.place, a.hash FROM chains JOIN audit a ON a.chain = chains.chain
WHERE a.place = (SELECT MAX(b.place) FROM audit b WHERE b.chain = a.chain)
    AND a.place > COALESCE((SELECT MAX(c.place) FROM checkpoints c WHERE c.chain = a.chain), 0);

-- name: audit.page
-- Read a part of a chain, in order.
SELECT chain, place, at, user_id, turn_id, step, kind, what, decision, rule, arguments, outcome,
    payload, previous, hash
FROM audit WHERE chain = :chain AND place > :after ORDER BY place LIMIT :most;

-- name: audit.root
-- Read the hash of a row.
SELECT hash FROM audit WHERE chain = :chain AND place = :place;

-- name: audit.find
-- List the rows that fit, in order of time, from a row on.
SELECT chain, place, at, user_id, turn_id, step, kind, what, decision, rule, arguments, outcome,
    payload, previous, hash
FROM audit
WHERE at >= :since AND at < :until AND (at, chain, place) > (:at, :chain, :place)
    AND (:user = '' OR user_id = :user) AND (:turn = '' OR turn_id = :turn)
    AND (:what = '' OR what = :what) AND (:kind = '' OR kind = :kind)
    AND (:decision = '' OR decision = :decision)
ORDER BY at, chain, place LIMIT :most;

-- name: audit.newest
-- List the rows that fit, from the newest backwards, from a row on.
SELECT chain, place, at, user_id, turn_id, step, kind, what, decision, rule, arguments, outcome,
    payload, previous, hash
FROM audit
WHERE at >= :since AND at < :until AND (at, chain, place) < (:at, :chain, :place)
    AND (:user = '' OR user_id = :user) AND (:turn = '' OR turn_id = :turn)
    AND (:what = '' OR what = :what) AND (:kind = '' OR kind = :kind)
    AND (:decision = '' OR decision = :decision)
ORDER BY at DESC, chain DESC, place DESC LIMIT :most;

-- name: checkpoints.last
-- Read the newest checkpoint.
SELECT number, chain, place, root, at, previous, key, signature
FROM checkpoints ORDER BY number DESC LIMIT 1;

-- name: checkpoints.add
-- Keep a checkpoint.
INSERT INTO checkpoints (number, chain, place, root, at, previous, key, signature)
VALUES (:number, :chain, :place, :root, :at, :previous, :key, :signature);

-- name: checkpoints.page
-- Read a part of the checkpoints, in order.
SELECT number, chain, place, root, at, previous, key, signature
FROM checkpoints WHERE number > :after ORDER BY number LIMIT :most;

-- name: checkpoints.get
-- Read a checkpoint.
SELECT number, chain, place, root, at, previous, key, signature
FROM checkpoints WHERE number = :number;

-- name: checkpoints.covered
-- Tell up to which row a chain is under a checkpoint.
SELECT COALESCE(MAX(place), 0) FROM checkpoints WHERE chain = :chain;

-- name: audit.of_turn
-- Tell what was decided on a turn's calls, in order.
SELECT step, decision, rule FROM audit
WHERE turn_id = :turn_id AND step <> '' AND decision <> '' ORDER BY at, place;

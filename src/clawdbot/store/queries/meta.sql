-- name: meta.get
-- Read a fact about the store.
SELECT value FROM meta WHERE key = :key;

-- name: meta.set
-- Write a fact about the store.
INSERT INTO meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = :value;

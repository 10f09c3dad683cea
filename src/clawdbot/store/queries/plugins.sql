-- name: plugins.put
-- Keep the decision on a plugin.
INSERT INTO plugins (name, hash, manifest, publisher, state, trusted_by, trusted_at)
VALUES (:name, :hash, :manifest, :publisher, :state, :trusted_by, :trusted_at)
ON CONFLICT (name) DO UPDATE SET hash = :hash, manifest = :manifest, publisher = :publisher,
  state = :state, trusted_by = :trusted_by, trusted_at = :trusted_at;

-- name: plugins.get
-- Read the decision on a plugin.
SELECT name, hash, manifest, publisher, state, trusted_by, trusted_at FROM plugins
WHERE name = :name;

-- name: plugins.list
-- List every decision.
SELECT name, hash, manifest, publisher, state, trusted_by, trusted_at FROM plugins ORDER BY name;

-- name: plugins.remove
-- Take the decision on a plugin back.
DELETE FROM plugins WHERE name = :name;

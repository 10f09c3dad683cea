-- name: plugins.put
-- Keep the decision on a plugin.
INSERT INTO plugins (kind, name, hash, manifest, publisher, state, trusted_by, trusted_at)
VALUES (:kind, :name, :hash, :manifest, :publisher, :state, :trusted_by, :trusted_at)
ON CONFLICT (kind, name) DO UPDATE SET hash = :hash, manifest = :manifest, publisher = :publisher,
  state = :state, trusted_by = :trusted_by, trusted_at = :trusted_at;

-- name: plugins.get
-- Read the decision on a plugin.
SELECT name, hash, manifest, publisher, state, trusted_by, trusted_at, kind FROM plugins
WHERE kind = :kind AND name = :name;

-- name: plugins.list
-- List every decision of a kind.
SELECT name, hash, manifest, publisher, state, trusted_by, trusted_at, kind FROM plugins
WHERE kind = :kind ORDER BY name;

-- name: plugins.remove
-- Take the decision on a plugin back.
DELETE FROM plugins WHERE kind = :kind AND name = :name;

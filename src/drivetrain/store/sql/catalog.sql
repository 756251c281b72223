-- name: put_artifact
INSERT INTO artifact (kind, name, version, digest, body, actor, made_at)
VALUES (:kind, :name, :version, :digest, :body, :actor, :made_at)
ON CONFLICT (kind, name, version) DO UPDATE SET body = excluded.body, digest = excluded.digest;

-- name: put_next
INSERT INTO artifact (kind, name, version, digest, body, actor, made_at)
SELECT :kind, :name, :version, :digest, :body, :actor, :made_at
WHERE CAST(:version AS INTEGER) = 1 + (
    SELECT COALESCE(MAX(CAST(version AS INTEGER)), 0) FROM artifact WHERE kind = :kind AND name = :name
);

-- name: put_parent
INSERT OR IGNORE INTO parent (child, parent) VALUES (:child, :parent);

-- name: put_result
INSERT INTO result (key, ref, made_at) VALUES (:key, :ref, :made_at)
ON CONFLICT (key) DO UPDATE SET ref = excluded.ref, made_at = excluded.made_at;

-- name: put_stage
INSERT INTO stage (stage, name, inputs, ref, finished_at) VALUES (:stage, :name, :inputs, :ref, :finished_at)
ON CONFLICT (stage, name) DO UPDATE SET inputs = excluded.inputs, ref = excluded.ref, finished_at = excluded.finished_at;

-- name: get_stage
SELECT inputs, ref, finished_at FROM stage WHERE stage = :stage AND name = :name;

-- name: get_artifact
SELECT body FROM artifact WHERE kind = :kind AND name = :name AND version = :version;

-- name: get_by_prefix
SELECT kind, name, version FROM artifact
WHERE kind = :kind AND name = :name AND substr(version, 1, length(:prefix)) = :prefix LIMIT 2;

-- name: latest_artifact
SELECT body FROM artifact WHERE kind = :kind AND name = :name ORDER BY made_at DESC, rowid DESC LIMIT 1;

-- name: newest_artifacts
SELECT body FROM artifact WHERE kind = :kind AND name = :name
ORDER BY made_at DESC, rowid DESC LIMIT CAST(:count AS INTEGER);

-- name: standing_at
SELECT body FROM artifact WHERE kind = :kind AND name = :name AND made_at <= :at
ORDER BY made_at DESC, CAST(version AS INTEGER) DESC LIMIT 1;

-- name: history
SELECT body FROM artifact WHERE kind = :kind AND name = :name ORDER BY CAST(version AS INTEGER);

-- name: names
SELECT name FROM artifact WHERE kind = :kind GROUP BY name ORDER BY MIN(rowid);

-- name: list_artifacts
SELECT kind, name, version, digest, actor, made_at FROM artifact
WHERE (:kind = '' OR kind = :kind) AND (:name = '' OR name = :name)
ORDER BY made_at, rowid;

-- name: get_result
SELECT ref FROM result WHERE key = :key;

-- name: get_parents
SELECT parent FROM parent WHERE child = :child ORDER BY parent;

-- name: get_children
SELECT child FROM parent WHERE parent = :parent ORDER BY child;

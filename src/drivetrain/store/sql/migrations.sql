-- name: 001_catalog
CREATE TABLE artifact (
    kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
    body TEXT NOT NULL, actor TEXT NOT NULL, made_at TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
);
CREATE TABLE parent (child TEXT NOT NULL, parent TEXT NOT NULL, PRIMARY KEY (child, parent));
CREATE INDEX parent_by_parent ON parent (parent);
CREATE TABLE result (key TEXT PRIMARY KEY, ref TEXT NOT NULL, made_at TEXT NOT NULL);
CREATE TABLE stage (
    stage TEXT NOT NULL, name TEXT NOT NULL, inputs TEXT NOT NULL, ref TEXT NOT NULL, finished_at TEXT NOT NULL,
    PRIMARY KEY (stage, name)
);

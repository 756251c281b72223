-- name: conversations
CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    caller TEXT NOT NULL,
    turns INTEGER NOT NULL,
    memory TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE turns (
    session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    message TEXT NOT NULL,
    reply TEXT NOT NULL,
    prediction_id TEXT NOT NULL,
    intent TEXT NOT NULL,
    PRIMARY KEY (session, number)
) STRICT;
CREATE INDEX turns_by_prediction ON turns (prediction_id);
CREATE INDEX sessions_by_time ON sessions (at);
CREATE TABLE hand_overs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    at TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT

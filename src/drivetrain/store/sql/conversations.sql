-- name: get_session
SELECT memory FROM sessions WHERE session = :session AND caller = :caller;
-- name: put_session
INSERT INTO sessions (session, caller, turns, memory, at) VALUES (:session, :caller, :turns, :memory, :at)
ON CONFLICT (session) DO UPDATE SET turns = excluded.turns, memory = excluded.memory, at = excluded.at
WHERE sessions.turns = excluded.turns - 1 AND sessions.caller = excluded.caller;
-- name: put_turn
INSERT INTO turns (session, number, at, message, reply, prediction_id, intent)
VALUES (:session, :number, :at, :message, :reply, :prediction_id, :intent);
-- name: put_hand_over
INSERT INTO hand_overs (session, at, body) VALUES (:session, :at, :body);
-- name: get_turns
SELECT at, message, reply FROM turns WHERE session = :session ORDER BY number;
-- name: get_intent
SELECT intent FROM turns WHERE prediction_id = :prediction_id AND prediction_id <> '';
-- name: get_hand_overs
SELECT CAST(number AS TEXT), session, at, body FROM hand_overs ORDER BY number;
-- name: find_sessions
SELECT session FROM sessions
WHERE session = :who
OR EXISTS (SELECT 1 FROM json_each(sessions.memory, '$.slots') WHERE lower(value) = lower(:who))
OR EXISTS (
    SELECT 1 FROM hand_overs, json_each(hand_overs.body, '$.slots')
    WHERE hand_overs.session = sessions.session AND lower(value) = lower(:who)
)
ORDER BY session;
-- name: forget
DELETE FROM sessions WHERE session = :session;
-- name: forget_old
DELETE FROM sessions WHERE at < :before;

-- name: put
INSERT INTO purchases (customer, at, item) VALUES (:customer, :at, :item) ON CONFLICT DO NOTHING;
-- name: keep_newest
DELETE FROM purchases WHERE customer = :customer AND at <= (
    SELECT at FROM purchases WHERE customer = :customer ORDER BY at DESC LIMIT 1 OFFSET :most
);
-- name: get
SELECT item, CAST(at AS TEXT) FROM purchases WHERE customer = :customer AND at < :before ORDER BY at DESC, item;
-- name: forget
DELETE FROM purchases WHERE customer = :customer;
-- name: forget_old
DELETE FROM purchases WHERE at < :before;

-- name: purchases
CREATE TABLE purchases (
    customer TEXT NOT NULL,
    at INTEGER NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (customer, at, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX purchases_by_time ON purchases (at)

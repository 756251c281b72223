-- Who bought what: one row for an item of a basket. A basket is what a customer buys at one moment, so all lines of an
-- invoice get its first minute. Returns, gifts, postage, and lines without a customer are no purchases.
SELECT
    CAST("Customer ID" AS BIGINT) AS customer,
    upper(StockCode) AS item,
    min(InvoiceDate) OVER (PARTITION BY Invoice) AS bought_at,
    Price AS price
FROM lines
WHERE Quantity > 0 AND Price > 0 AND "Customer ID" IS NOT NULL AND regexp_matches(StockCode, '^[0-9]{5}')

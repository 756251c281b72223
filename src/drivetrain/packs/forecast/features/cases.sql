-- The rows to predict: the demand of an item on each of the 28 days after an origin, in swings of the item.
-- A swing is the usual change from one day to the next (root mean square, from the first sale on to the origin), so an
-- error of 1 is as large as saying "as yesterday": what RMSSE measures, and one model serves large and small items.
-- Origins lie 28 days apart and end with the data. The days after the last one are open: nobody knows their demand yet.
-- The items are the 300 of most revenue up to the origin before the last, so what is judged did not choose them, from
-- four weeks on, and whatever is new: in its first four weeks an item has the swing of what was new at such a price.
-- An item that has not sold yet is announced by a line of quantity 0 with its price.
WITH sales AS (
    SELECT StockCode AS item, CAST(InvoiceDate AS DATE) AS day, sum(Quantity) AS sold, sum(Quantity * Price) AS revenue,
        max(Price) AS price
    FROM lines
    WHERE Quantity >= 0 AND Price > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
    GROUP BY ALL
),
span AS (SELECT min(day) AS first_day, max(day) AS last_day FROM sales),
items AS (
    SELECT item, min(day) AS first_sale, CAST(log2(arg_min(price, day)) AS INTEGER) AS band,
        row_number() OVER (ORDER BY sum(CASE WHEN day <= last_day - 28 THEN revenue END) DESC NULLS LAST, item) <= 300
            AS is_major
    FROM sales, span GROUP BY item
),
grid AS (
    SELECT items.*, first_day, last_day, CAST(unnest(range(first_sale, CASE WHEN is_major THEN last_day + 1
        ELSE least(first_sale + 56, last_day + 1) END, INTERVAL 1 DAY)) AS DATE) AS day
    FROM items, span
),
days AS (
    SELECT grid.* , coalesce(sold, 0) AS sold, coalesce(revenue, 0) AS revenue FROM grid LEFT JOIN sales USING (item, day)
),
changes AS (
    SELECT *, sold - lag(sold) OVER (PARTITION BY item ORDER BY day) AS change FROM days
),
-- The swing of new items at a price, as known on a day. What sold in the first four weeks of the data was there before.
launches AS (
    SELECT band, day, sqrt(sum(sum(change * change)) OVER w / sum(count(change)) OVER w) AS swing
    FROM changes WHERE day < first_sale + 28 AND first_sale >= first_day + 28
    GROUP BY band, day WINDOW w AS (PARTITION BY band ORDER BY day)
),
origins AS (
    SELECT item, day AS origin, band, is_major, last_day,
        sqrt(avg(change * change) OVER past) AS swing,
        count(*) OVER past AS age,
        count_if(sold > 0) OVER past AS sold_days,
        stddev_pop(nullif(sold, 0)) OVER past / avg(nullif(sold, 0)) OVER past AS unevenness,
        sum(revenue) OVER past AS revenue
    FROM changes WINDOW past AS (PARTITION BY item ORDER BY day)
)
SELECT
    o.item AS item,
    CAST(o.origin + h.horizon AS DATE) AS target_day,
    o.origin AS origin,
    if(o.age < 28, l.swing, o.swing) AS swing,
    o.revenue AS revenue,
    if(o.age < 28, 'under 28 days', 'established') AS life,
    -- How often and how evenly it sells (Syntetos, Boylan & Croston 2005).
    CASE
        WHEN o.sold_days = 0 THEN 'none'
        WHEN o.age > 1.32 * o.sold_days THEN if(o.unevenness * o.unevenness > 0.49, 'lumpy', 'intermittent')
        ELSE if(o.unevenness * o.unevenness > 0.49, 'erratic', 'smooth')
    END AS pattern,
    d.sold / if(o.age < 28, l.swing, o.swing) AS demand
FROM origins o
CROSS JOIN (SELECT CAST(unnest(range(1, 29)) AS INTEGER) AS horizon) h
LEFT JOIN launches l ON l.band = o.band AND l.day = o.origin
LEFT JOIN days d ON d.item = o.item AND d.day = o.origin + h.horizon
WHERE (o.last_day - o.origin) % 28 = 0
    AND if(o.age < 28, l.swing > 0, o.is_major AND o.sold_days >= 10)

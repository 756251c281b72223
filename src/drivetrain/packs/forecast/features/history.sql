-- What is known of an item at the origin (`known`), for each of the 28 days after it; amounts in swings, as the demand.
-- `price_lately` below 1 is a promotion; `last_year` looks at the same weeks 52 weeks before.
WITH sales AS (
    SELECT StockCode AS item, CAST(InvoiceDate AS DATE) AS day, sum(Quantity) AS sold, sum(Quantity * Price) AS revenue
    FROM lines
    WHERE Quantity > 0 AND Price > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
    GROUP BY ALL
),
span AS (SELECT min(day) AS first_day, max(day) AS last_day FROM sales),
items AS (
    SELECT item, min(day) AS first_sale FROM sales, span WHERE day <= last_day - 28
    GROUP BY item ORDER BY sum(revenue) DESC, item LIMIT 300
),
grid AS (
    SELECT item, last_day, CAST(unnest(range(first_sale, last_day + 1, INTERVAL 1 DAY)) AS DATE) AS day FROM items, span
),
days AS (
    SELECT item, day, coalesce(sold, 0) AS sold, revenue / sold AS price, last_day FROM grid LEFT JOIN sales USING (item, day)
),
changes AS (
    SELECT *, sold - lag(sold) OVER (PARTITION BY item ORDER BY day) AS change FROM days
),
past AS (
    SELECT item, day, sold, last_day,
        sqrt(avg(change * change) OVER (PARTITION BY item ORDER BY day)) AS swing,
        count(*) OVER (PARTITION BY item ORDER BY day) AS age,
        avg(sold) OVER w3 AS mean_3, avg(sold) OVER w7 AS mean_7, avg(sold) OVER w14 AS mean_14,
        avg(sold) OVER w28 AS mean_28, avg(sold) OVER w56 AS mean_56, avg(sold) OVER w91 AS mean_91,
        avg(sold) OVER w182 AS mean_182, avg(sold) OVER w364 AS mean_364,
        stddev_pop(sold) OVER w28 AS deviation_28, stddev_pop(sold) OVER w91 AS deviation_91,
        max(sold) OVER w28 AS most_28, max(sold) OVER w91 AS most_91, median(sold) OVER w28 AS median_28,
        avg(CAST(sold > 0 AS INTEGER)) OVER w7 AS share_sold_7, avg(CAST(sold > 0 AS INTEGER)) OVER w28 AS share_sold_28,
        avg(CAST(sold > 0 AS INTEGER)) OVER w91 AS share_sold_91,
        day - max(CASE WHEN sold > 0 THEN day END) OVER (PARTITION BY item ORDER BY day) AS days_without,
        avg(price) OVER w7 AS price_7, avg(price) OVER w28 AS price_28, avg(price) OVER w182 AS price_182,
        avg(sold) OVER (PARTITION BY item ORDER BY day ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) AS around_7,
        avg(sold) OVER (PARTITION BY item ORDER BY day ROWS BETWEEN 14 PRECEDING AND 14 FOLLOWING) AS around_29,
        avg(sold) OVER k4 AS weekday_4, avg(sold) OVER k8 AS weekday_8, avg(sold) OVER k26 AS weekday_26
    FROM changes
    WINDOW
        w3 AS (PARTITION BY item ORDER BY day ROWS 2 PRECEDING), w7 AS (PARTITION BY item ORDER BY day ROWS 6 PRECEDING),
        w14 AS (PARTITION BY item ORDER BY day ROWS 13 PRECEDING), w28 AS (PARTITION BY item ORDER BY day ROWS 27 PRECEDING),
        w56 AS (PARTITION BY item ORDER BY day ROWS 55 PRECEDING), w91 AS (PARTITION BY item ORDER BY day ROWS 90 PRECEDING),
        w182 AS (PARTITION BY item ORDER BY day ROWS 181 PRECEDING), w364 AS (PARTITION BY item ORDER BY day ROWS 363 PRECEDING),
        k4 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 3 PRECEDING),
        k8 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 7 PRECEDING),
        k26 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 25 PRECEDING)
),
ahead AS (
    SELECT o.*, CAST(o.day + h.horizon AS DATE) AS target_day, h.horizon
    FROM past o, (SELECT CAST(unnest(range(1, 29)) AS INTEGER) AS horizon) h
    WHERE (o.last_day - o.day) % 28 = 0 AND o.swing > 0
)
SELECT
    a.item AS item,
    a.target_day AS target_day,
    a.day AS known,
    a.horizon AS horizon,
    dayofweek(a.target_day) AS weekday,
    day(a.target_day) AS day_of_month,
    month(a.target_day) = 12 AND day(a.target_day) > 22 OR month(a.target_day) = 1 AND day(a.target_day) < 4 AS is_closed,
    a.target_day IN (
        DATE '2009-12-28', DATE '2010-04-02', DATE '2010-04-05', DATE '2010-05-03', DATE '2010-05-31', DATE '2010-08-30',
        DATE '2011-04-22', DATE '2011-04-25', DATE '2011-04-29', DATE '2011-05-02', DATE '2011-05-30', DATE '2011-08-29'
    ) AS is_bank_holiday,
    a.sold / a.swing AS newest,
    a.mean_3 / a.swing AS mean_3, a.mean_7 / a.swing AS mean_7, a.mean_14 / a.swing AS mean_14,
    a.mean_28 / a.swing AS mean_28, a.mean_56 / a.swing AS mean_56, a.mean_91 / a.swing AS mean_91,
    a.mean_182 / a.swing AS mean_182, a.mean_364 / a.swing AS mean_364,
    a.deviation_28 / a.swing AS deviation_28, a.deviation_91 / a.swing AS deviation_91,
    a.most_28 / a.swing AS most_28, a.most_91 / a.swing AS most_91, a.median_28 / a.swing AS median_28,
    a.share_sold_7 AS share_sold_7, a.share_sold_28 AS share_sold_28, a.share_sold_91 AS share_sold_91,
    a.days_without AS days_without,
    a.price_28 AS price, a.price_7 / a.price_28 AS price_lately, a.price_28 / a.price_182 AS price_level,
    w.weekday_4 / a.swing AS weekday_4, w.weekday_8 / a.swing AS weekday_8, w.weekday_26 / a.swing AS weekday_26,
    y.around_7 / a.swing AS last_year_7, y.around_29 / a.swing AS last_year_29, b.mean_28 / a.swing AS last_year_before
FROM ahead a
LEFT JOIN past w ON w.item = a.item AND w.day = a.target_day - 7 * CAST(ceil(a.horizon / 7.0) AS INTEGER)
LEFT JOIN past y ON y.item = a.item AND y.day = a.target_day - 364
LEFT JOIN past b ON b.item = a.item AND b.day = a.day - 364

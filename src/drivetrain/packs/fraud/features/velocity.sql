-- Who paid how often and how much in the last hour, day and week, and who shares what with whom. The server computes
-- the same for every payment that it is sent: docs/rooms/prepare.md says what such a file may hold.
SELECT
    payment,

    -- the payment itself
    amount,
    channel,
    category,
    card_country,
    check_failed,
    country <> card_country AS abroad,
    hour(paid_at) AS hour,

    -- the card: how fast, how much, against its own habits
    count(*) OVER card_hour AS card_payments_1h,
    count(*) OVER card_day AS card_payments_1d,
    count(*) OVER card_week AS card_payments_7d,
    sum(amount) OVER card_day AS card_amount_1d,
    amount / avg(amount) OVER card_before AS amount_to_mean,
    max(amount) OVER card_before AS card_most_7d,
    stddev(amount) OVER card_week AS card_spread_7d,
    epoch(paid_at) - epoch(max(paid_at) OVER card_before) AS seconds_since_last,
    count(*) FILTER (WHERE check_failed) OVER card_day AS card_checks_failed_1d,
    count(DISTINCT shop) OVER card_day AS card_shops_1d,
    count(DISTINCT country) OVER card_week AS card_countries_7d,

    -- what was seen together before: the card at this shop, the card on this device
    count(*) OVER (PARTITION BY card, shop ORDER BY paid_at
        RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS card_at_shop_7d,
    count(*) OVER (PARTITION BY card, device ORDER BY paid_at
        RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS card_on_device_7d,

    -- the graph: how many cards a device and a shop have met
    count(DISTINCT card) OVER device_day AS device_cards_1d,
    count(*) FILTER (WHERE check_failed) OVER device_day AS device_checks_failed_1d,
    count(*) FILTER (WHERE check_failed) OVER shop_hour AS shop_checks_failed_1h,
    count(DISTINCT card) OVER shop_hour AS shop_cards_1h,
    avg(amount) OVER (PARTITION BY shop ORDER BY paid_at
        RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW EXCLUDE TIES) AS shop_mean_1d
FROM payments
WINDOW
    card_hour AS (PARTITION BY card ORDER BY paid_at
        RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW EXCLUDE TIES),
    card_day AS (PARTITION BY card ORDER BY paid_at
        RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW EXCLUDE TIES),
    card_week AS (PARTITION BY card ORDER BY paid_at
        RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW EXCLUDE TIES),
    card_before AS (PARTITION BY card ORDER BY paid_at
        RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW EXCLUDE GROUP),
    device_day AS (PARTITION BY device ORDER BY paid_at
        RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW EXCLUDE TIES),
    shop_hour AS (PARTITION BY shop ORDER BY paid_at
        RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW EXCLUDE TIES)

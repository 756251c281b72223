-- Traffic for `drivetrain demo` and `drivetrain traffic`: the days after the history, in the order of time, as callers
-- send them, with the outcome.
SELECT payment, paid_at, card, shop, country, card_country, category, channel, device, amount, check_failed, fraud
FROM upcoming
ORDER BY paid_at, payment
LIMIT 10000

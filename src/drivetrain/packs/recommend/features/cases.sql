-- The rows to rank: candidates of the newest baskets of each customer, from the table that `features.items` makes.
-- What was bought and is no candidate is counted in `basket_items` and `basket_new`, and is missed.
SELECT pair, bought, held, customer, item, is_new, basket_items, basket_new
FROM candidates

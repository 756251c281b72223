-- The rows to predict: one per loan, with the outcome two years later.
SELECT
    id AS loan_id,
    SeriousDlqin2yrs = 1 AS serious_delinquency
FROM loans

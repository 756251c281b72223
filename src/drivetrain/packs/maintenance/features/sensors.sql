-- What the nine sensors say.
SELECT
    concat_ws(' ', f1, f2, f3, f4, f5, f6, f7, f8, f9) AS reading,
    f1, f2, f3, f4, f5, f6, f7, f8, f9
FROM readings

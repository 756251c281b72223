-- The rows to predict: one a reading. The source gives no number to a reading, so its values name it.
SELECT
    concat_ws(' ', f1, f2, f3, f4, f5, f6, f7, f8, f9) AS reading,
    anomaly = 1 AS abnormal
FROM readings

-- What sensors say against each other: on a machine in order these keep still while both move.
SELECT
    concat_ws(' ', f1, f2, f3, f4, f5, f6, f7, f8, f9) AS reading,
    f3 - f1 AS f3_less_f1,
    f7 - f1 AS f7_less_f1,
    f8 - f7 AS f8_less_f7,
    abs(f2) + abs(f4) + abs(f6) AS unrest
FROM readings

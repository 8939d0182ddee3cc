SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns WHERE table_schema = DATABASE()
AND table_name = 'items' AND column_name IN ('votes', 'serial', 'price', 'ratio')
ORDER BY 1;
-- ["price", "decimal", 38, 9]
-- ["ratio", "decimal", 65, 27]
-- ["serial", "decimal", 38, 0]
-- ["votes", "bigint", 19, 0]

SELECT votes, serial, price, ratio FROM items ORDER BY reviewed_at;
-- [3, "18446744073709551615", "12.000000000", "0.100000000000000000000000000"]
-- [-4, "1", "12.500000000", "0.000000000100000000000000000"]

SELECT COUNT(*) FROM items WHERE _twinrow_extra IS NOT NULL;
-- [0]

-- # Not exact: rounded where it fits, NULL where it does not, never cut.
SELECT username, price, product_code, ratio, votes, JSON_EXTRACT(document, '$.a'), JSON_VALID(document)
FROM items ORDER BY username;
-- ["a", "12.50", "abcde", 0.1, 127, "1", 1]
-- ["b", "12.34", null, 0.12345678901234568, null, "1", 1]
-- ["c", null, "ü🌿abc", 9e+125, 2, null, 1]

SELECT username, _twinrow_extra FROM items WHERE _twinrow_extra IS NOT NULL ORDER BY username;
-- ["b", "{\"code\":{\"S\":\"abcdef\"},\"document\":{\"S\":\"{\\\"a\\\": 1}\"},\"price\":{\"N\":\"12.345\"},\"ratio\":{\"N\":\"0.1234567890123456789\"},\"votes\":{\"N\":\"128\"}}"]
-- ["c", "{\"price\":{\"N\":\"99999.99\"},\"votes\":{\"N\":\"1.5\"}}"]

SELECT COUNT(*) FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'items' AND column_name = 'secret';
-- [0]

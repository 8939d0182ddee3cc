SELECT username, text = '', LENGTH(text), JSON_LENGTH(m), JSON_LENGTH(l), b, JSON_LENGTH(inside)
FROM items ORDER BY username;
-- ["a", 1, 0, 0, 0, "", 2]
-- ["b", 0, 1, 1, null, "00", null]

SELECT COUNT(*) FROM items WHERE _twinrow_extra IS NOT NULL;
-- [0]

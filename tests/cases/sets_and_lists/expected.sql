-- # A set is an array in sorted order, a list keeps its own. A column belongs to one type: the list under `tags` and
-- # the set under `pages` are in extra, whole.
SELECT reviewed_at, JSON_EXTRACT(tags, '$[0]'), JSON_EXTRACT(tags, '$[1]'), JSON_EXTRACT(pages, '$[0]'),
JSON_LENGTH(pages) FROM items ORDER BY reviewed_at;
-- ["1", "\"a\"", "\"b\"", "2", 2]
-- ["2", null, null, null, null]
-- ["3", "\"a\"", "\"b\"", null, 0]

SELECT reviewed_at, _twinrow_extra FROM items WHERE _twinrow_extra IS NOT NULL;
-- ["2", "{\"mixed\":{\"L\":[{\"SS\":[\"x\"]},{\"B\":\"AAEC\"}]},\"pages\":{\"NS\":[\"1\",\"2\"]},\"tags\":{\"L\":[{\"S\":\"b\"},{\"S\":\"a\"}]}}"]

SELECT JSON_EXTRACT(scores, '$[0]'), JSON_EXTRACT(scores, '$[1]') FROM items WHERE scores IS NOT NULL;
-- ["9.5", "10"]

-- # Plain JSON cannot tell that a set or binary stood inside a list, so extra holds the typed form too.
SELECT JSON_EXTRACT(mixed, '$[0][0]'), JSON_EXTRACT(mixed, '$[1]') FROM items WHERE reviewed_at = '2';
-- ["\"x\"", "\"AAEC\""]

SELECT COUNT(*) FROM items JOIN JSON_TABLE(items.tags, '$[*]' COLUMNS (tag VARCHAR(40) PATH '$')) AS t;
-- [4]

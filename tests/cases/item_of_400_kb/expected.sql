-- # Text beyond 64 KB is not cut, also where a packet holds 1 MB only.
SELECT LEFT(username, 6), CHAR_LENGTH(username), CHAR_LENGTH(reviewed_at), CHAR_LENGTH(body), LENGTH(body),
CHAR_LENGTH(JSON_UNQUOTE(JSON_EXTRACT(m, '$.body'))) FROM items ORDER BY username;
-- ["kkkkkk", 2048, 1024, null, null, null]
-- ["map", 3, 1, null, null, 409000]
-- ["quotes", 6, 1, 408000, 408000, null]
-- ["text", 4, 1, 204700, 409400, null]

-- # DynamoDB's deepest values are JSON columns on both servers (MariaDB takes 31 levels).
SELECT username, JSON_DEPTH(deep), JSON_DEPTH(list), _twinrow_extra IS NOT NULL FROM items ORDER BY username;
-- ["lists", null, 32, 0]
-- ["maps", 32, null, 0]
-- ["one less", 31, null, 0]

SELECT COUNT(*), COUNT(DISTINCT username) FROM items;
-- [11, 11]

-- # A filter finds that very text and no other.
SELECT n FROM items WHERE username = 'mint';
-- [1]

SELECT n FROM items WHERE username = 'mint ';
-- [2]

SELECT n FROM items WHERE username = '🌿';
-- [7]

-- # Binary order, as in DynamoDB.
SELECT n FROM items ORDER BY username;
-- [4]
-- [3]
-- [1]
-- [9]
-- [2]
-- [6]
-- [5]
-- [11]
-- [10]
-- [8]
-- [7]

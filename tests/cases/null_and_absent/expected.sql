-- # To SQL both are NULL; extra tells them apart. An attribute that only ever is NULL has no column.
SELECT username, note IS NULL, _twinrow_extra FROM items ORDER BY username;
-- ["absent", 1, null]
-- ["inside", 1, null]
-- ["null", 1, "{\"note\":{\"NULL\":true},\"only_null\":{\"NULL\":true}}"]
-- ["value", 0, null]

SELECT COUNT(*) FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'items' AND column_name = 'only_null';
-- [0]

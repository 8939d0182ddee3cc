-- # As many attributes have columns as a row has room for; the others are exact in extra. No item is refused.
SELECT reviewed_at, JSON_LENGTH(JSON_KEYS(_twinrow_extra)) FROM items ORDER BY reviewed_at;
-- ["1", 1230]
-- ["2", 1500]

SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'items'
AND column_name NOT IN ('row_id', '_twinrow_key', '_twinrow_extra', '_twinrow_updated_at', '_twinrow_deleted_at');
-- [272]

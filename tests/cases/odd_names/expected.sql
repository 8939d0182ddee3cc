-- # A name that MySQL can tell from all others stays; the rest get a readable form with a suffix.
SELECT column_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'items' ORDER BY ordinal_position;
-- ["row_id"]
-- ["username"]
-- ["reviewed_at"]
-- ["%s"]
-- ["'; DROP TABLE items; --"]
-- ["RATING"]
-- ["Rating_31ce01"]
-- ["attribute_twinrow_extra_235dd9"]
-- ["a"]
-- ["a_40cf68"]
-- ["a`b"]
-- ["i"]
-- ["id"]
-- ["rating_c9b95f"]
-- ["row_id_5aa32c"]
-- ["x_y_5ab1f9"]
-- ["ä.b-c"]
-- ["İ_a5807d"]
-- ["__157583"]
-- ["_twinrow_key"]
-- ["_twinrow_extra"]
-- ["_twinrow_updated_at"]
-- ["_twinrow_deleted_at"]

SELECT `row_id`, `id`, `a`, `%s`, `'; DROP TABLE items; --`, `a``b`, `ä.b-c` FROM items;
-- [1, 5, "plain", "percent", "bobby", "backtick", "dot"]

-- # Binary columns hold the bytes, not base64; trailing zero bytes are told apart.
SELECT HEX(id), part, HEX(body) FROM items ORDER BY id, part;
-- ["0001", 1, "FF00C0A841"]
-- ["0001", 2, "E29C93"]
-- ["000100", 1, "27273B2D2D205C6E"]

-- # Inside JSON, binary is base64 text.
SELECT JSON_EXTRACT(parts, '$[0]'), JSON_EXTRACT(parts, '$[1]') FROM items WHERE parts IS NOT NULL;
-- ["\"AA==\"", "\"/w==\""]

SELECT COUNT(*) FROM items WHERE _twinrow_extra IS NOT NULL;
-- [0]

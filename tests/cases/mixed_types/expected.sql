-- # A column belongs to the commonest type; a value of another type is exact in extra, the column stays NULL.
SELECT reviewed_at, zip, _twinrow_extra FROM items ORDER BY reviewed_at;
-- ["1", "01234", null]
-- ["2", null, "{\"zip\":{\"N\":\"1234\"}}"]
-- ["3", null, "{\"zip\":{\"BOOL\":true}}"]
-- ["4", "1234", null]

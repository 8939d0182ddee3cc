-- # Under an override a column shows every value that its type can print; extra has the exact form.
SELECT reviewed_at, zip, CAST(note AS CHAR), price FROM items ORDER BY reviewed_at;
-- mysql ["1", "01234", "{\"a\": 1}", "2.50"]
-- mariadb ["1", "01234", "{\"a\":1}", "2.50"]
-- ["2", "1234", "\"plain\"", "12.50"]
-- ["3", "true", "5", null]
-- ["4", "[1]", "false", null]
-- ["5", "x", "{}", "3.00"]
-- ["6", null, null, null]

SELECT reviewed_at, _twinrow_extra FROM items ORDER BY reviewed_at;
-- ["1", null]
-- ["2", "{\"note\":{\"S\":\"plain\"},\"price\":{\"S\":\"12.50\"},\"zip\":{\"N\":\"1234\"}}"]
-- ["3", "{\"note\":{\"N\":\"5\"},\"price\":{\"S\":\"n/a\"},\"zip\":{\"BOOL\":true}}"]
-- ["4", "{\"note\":{\"BOOL\":false},\"price\":{\"NULL\":true},\"zip\":{\"L\":[{\"N\":\"1\"}]}}"]
-- ["5", null]
-- ["6", "{\"note\":{\"NULL\":true},\"zip\":{\"NULL\":true}}"]

-- # Times are UTC whatever the server's zone; what is no such time is NULL, not 0000-00-00, on a server that allows it.
SELECT username, CAST(seconds AS CHAR), CAST(at_ms AS CHAR), CAST(iso AS CHAR), CAST(day AS CHAR) FROM items ORDER BY username;
-- ["a", "2024-05-01 12:51:30", "2024-05-01 12:51:30.123", "2024-05-01 12:51:30.123", "2024-02-29"]
-- ["b", "2024-05-01 12:51:30", "1970-01-01 00:00:00.000", "2024-05-01 12:51:30.000", null]
-- ["c", null, null, null, null]

SELECT username, _twinrow_extra FROM items WHERE _twinrow_extra IS NOT NULL ORDER BY username;
-- ["b", "{\"day\":{\"S\":\"2023-02-29\"},\"iso\":{\"S\":\"2024-05-01T14:51:30+02:00\"},\"seconds\":{\"N\":\"1714567890.5\"}}"]
-- ["c", "{\"day\":{\"S\":\"\"},\"iso\":{\"S\":\"0000-00-00T00:00:00Z\"},\"millis\":{\"S\":\"not a number\"},\"seconds\":{\"N\":\"-62135596801\"}}"]

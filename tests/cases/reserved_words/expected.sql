SELECT `select`, `table`, `key`, `order`, JSON_EXTRACT(`group`, '$[0]'), `rank`, `null`, `timestamp` FROM items;
-- ["select", 1, 1, "by", "\"g\"", "1.500000000", "null", 1714567890]

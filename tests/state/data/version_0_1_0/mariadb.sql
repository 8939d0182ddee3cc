CREATE TABLE `reviews` (
  `row_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `username` varchar(2048) DEFAULT NULL,
  `reviewed_at` varchar(1024) DEFAULT NULL,
  `flavours` longtext DEFAULT NULL CHECK (json_valid(`flavours`)),
  `price` decimal(65,27) DEFAULT NULL,
  `rating` bigint(20) DEFAULT NULL,
  `tags` longtext DEFAULT NULL CHECK (json_valid(`tags`)),
  `text` mediumtext DEFAULT NULL,
  `mixed` longtext DEFAULT NULL CHECK (json_valid(`mixed`)),
  `raw` mediumblob DEFAULT NULL,
  `_twinrow_key` binary(16) NOT NULL INVISIBLE DEFAULT '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0',
  `_twinrow_extra` longtext INVISIBLE DEFAULT NULL,
  `_twinrow_updated_at` timestamp(6) NOT NULL INVISIBLE DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `_twinrow_deleted_at` datetime(6) INVISIBLE DEFAULT NULL,
  PRIMARY KEY (`row_id`),
  UNIQUE KEY `_twinrow_key` (`_twinrow_key`),
  KEY `_twinrow_key_columns` (`username`(384),`reviewed_at`(384))
) ENGINE=InnoDB AUTO_INCREMENT=16 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (1, 'user1', '2024-01-01T00000001', '{"mint":4.5,"sweet":true}', '1.110000000000000000000000000', 2, '["a","t1"]', 'nice ', NULL, NULL, X'be0b0a3c384586cab274a980825a0bf8', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.712574', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (2, 'user3', '2024-01-01T00000003', '{"mint":4.5,"sweet":true}', '3.130000000000000000000000000', 4, '["a","t3"]', 'seen again', NULL, NULL, X'c42e693bee11b07c6fc488b09fef063b', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:07.053425', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (3, 'user7', '2024-01-01T00000007', '{"mint":4.5,"sweet":true}', '7.170000000000000000000000000', 3, '["a","t0"]', 'nice nice nice nice nice nice nice ', NULL, NULL, X'fdf63af0bfe2212d8306246e40ade233', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.712574', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (4, 'user9', '2024-01-01T00000009', '{"mint":4.5,"sweet":true}', '9.190000000000000000000000000', 5, '["a","t2"]', '', NULL, NULL, X'c6cb894ed675e7945c2c5c426f891825', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.712574', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (5, 'user11', '2024-01-01T00000011', '{"mint":4.5,"sweet":true}', '11.210000000000000000000000000', 2, '["a","t4"]', 'nice nice ', NULL, NULL, X'2a62e6fccea74e6cc2a8e935ebff8b72', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.712574', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (6, 'user5', '2024-01-01T00000005', '{"mint":4.5,"sweet":true}', '5.150000000000000000000000000', 1, '["a","t5"]', 'nice nice nice nice nice ', NULL, NULL, X'4877deb66bc7e78b0b3cf1b476a4d771', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.712574', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (7, 'user2', '2024-01-01T00000002', '{"mint":4.5,"sweet":true}', '2.120000000000000000000000000', 3, '["a","t2"]', 'nice nice ', NULL, NULL, X'aadccfc6d195d0e11d83188d9e418c5c', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.777937', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (8, 'user10', '2024-01-01T00000010', '{"mint":4.5,"sweet":true}', '10.200000000000000000000000000', 1, '["a","t3"]', 'nice ', NULL, NULL, X'c3a12c485e73b4f104ad69d7e6d150f5', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.822699', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (9, 'user20', '2024-01-01T00000020', '{"mint":4.5,"sweet":true}', '0.123456789012345678901234568', 1, '["a","t6"]', 'nice nice ', '[[1,2.5]]', X'00ff', X'ea7e8c533e371afd1e573a346790ab49', '{"mixed":{"L":[{"NS":["1","2.5"]}]},"nothing":{"NULL":true},"price":{"N":"0.12345678901234567890123456789012345678"}}', '2026-11-28 04:09:01.822699', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (10, 'user0', '2024-01-01T00000000', '{"mint":4.5,"sweet":true}', '0.100000000000000000000000000', 1, '["a","t0"]', '', NULL, NULL, X'9dbdbf3b1f6bf2aa2b6edcae4a55cf92', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.822699', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (11, 'user4', '2024-01-01T00000004', '{"mint":4.5,"sweet":true}', '4.140000000000000000000000000', 5, '["a","t4"]', 'nice nice nice nice ', NULL, NULL, X'2db8a7402d4b17201e53e5ca4a3cf270', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.849555', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (12, 'user8', '2024-01-01T00000008', '{"mint":4.5,"sweet":true}', '8.180000000000000000000000000', 4, '["a","t1"]', 'nice nice nice nice nice nice nice nice ', NULL, NULL, X'f715a5a98780c363e5d791229de075f3', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.849555', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (13, 'user6', '2024-01-01T00000006', '{"mint":4.5,"sweet":true}', '6.160000000000000000000000000', 2, '["a","t6"]', 'nice nice nice nice nice nice ', NULL, NULL, X'76f2109fc5366011264a11742ca59aca', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.873293', NULL);
INSERT INTO `reviews` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `mixed`, `raw`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (14, 'user31', '2024-01-01T00000031', '{"mint":4.5,"sweet":true}', '31.410000000000000000000000000', 2, '["a","t3"]', 'nice nice nice nice ', NULL, NULL, X'd67c552e6df50ff65de2243281280ee0', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:07.052528', NULL);
CREATE TABLE `visits` (
  `row_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `username` varchar(2048) DEFAULT NULL,
  `reviewed_at` varchar(1024) DEFAULT NULL,
  `flavours` longtext DEFAULT NULL CHECK (json_valid(`flavours`)),
  `price` decimal(38,9) DEFAULT NULL,
  `rating` bigint(20) DEFAULT NULL,
  `tags` longtext DEFAULT NULL CHECK (json_valid(`tags`)),
  `text` mediumtext DEFAULT NULL,
  `_twinrow_key` binary(16) NOT NULL INVISIBLE DEFAULT '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0',
  `_twinrow_extra` longtext INVISIBLE DEFAULT NULL,
  `_twinrow_updated_at` timestamp(6) NOT NULL INVISIBLE DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `_twinrow_deleted_at` datetime(6) INVISIBLE DEFAULT NULL,
  PRIMARY KEY (`row_id`),
  UNIQUE KEY `_twinrow_key` (`_twinrow_key`),
  KEY `_twinrow_key_columns` (`username`(384),`reviewed_at`(384))
) ENGINE=InnoDB AUTO_INCREMENT=6 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `visits` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (1, 'user2', '2024-01-01T00000002', '{"mint":4.5,"sweet":true}', '2.120000000', 3, '["a","t2"]', 'nice nice ', X'aadccfc6d195d0e11d83188d9e418c5c', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.708025', NULL);
INSERT INTO `visits` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (2, 'user3', '2024-01-01T00000003', '{"mint":4.5,"sweet":true}', '3.130000000', 4, '["a","t3"]', 'nice nice nice ', X'c42e693bee11b07c6fc488b09fef063b', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.708025', NULL);
INSERT INTO `visits` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (3, 'user0', '2024-01-01T00000000', '{"mint":4.5,"sweet":true}', '0.100000000', 1, '["a","t0"]', '', X'9dbdbf3b1f6bf2aa2b6edcae4a55cf92', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.779715', NULL);
INSERT INTO `visits` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (4, 'user4', '2024-01-01T00000004', '{"mint":4.5,"sweet":true}', '4.140000000', 5, '["a","t4"]', 'nice nice nice nice ', X'2db8a7402d4b17201e53e5ca4a3cf270', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.804573', NULL);
INSERT INTO `visits` (`row_id`, `username`, `reviewed_at`, `flavours`, `price`, `rating`, `tags`, `text`, `_twinrow_key`, `_twinrow_extra`, `_twinrow_updated_at`, `_twinrow_deleted_at`) VALUES (5, 'user1', '2024-01-01T00000001', '{"mint":4.5,"sweet":true}', '1.110000000', 2, '["a","t1"]', 'nice ', X'be0b0a3c384586cab274a980825a0bf8', '{"nothing":{"NULL":true}}', '2026-11-28 04:09:01.847220', NULL);
CREATE TABLE `_twinrow_checkpoint` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `part` varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `position` longtext DEFAULT NULL,
  `done` tinyint(4) NOT NULL DEFAULT 0,
  `read_at` double NOT NULL DEFAULT 0,
  `info` longtext DEFAULT NULL,
  PRIMARY KEY (`table_name`,`part`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('reviews', 'segment:0/4', NULL, 1, 1795838941.6347637, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('reviews', 'segment:1/4', NULL, 1, 1795838941.644847, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('reviews', 'segment:2/4', NULL, 1, 1795838941.6455042, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('reviews', 'segment:3/4', NULL, 1, 1795838941.6525664, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('reviews', 'segments', '4', 0, 0.0, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'reconcile:pass', '1795838947.033239', 0, 0.0, '0');
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'refused', 'the key has changed', 0, 0.0, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'segment:0/4', NULL, 1, 1795838941.6460314, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'segment:1/4', NULL, 1, 1795838941.652098, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'segment:2/4', NULL, 1, 1795838941.6618721, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'segment:3/4', NULL, 1, 1795838941.662693, NULL);
INSERT INTO `_twinrow_checkpoint` (`table_name`, `part`, `position`, `done`, `read_at`, `info`) VALUES ('visits', 'segments', '4', 0, 0.0, NULL);
CREATE TABLE `_twinrow_dead_letter` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_hash` binary(16) NOT NULL,
  `item_key` longtext NOT NULL,
  `item` longtext NOT NULL,
  `reason` text NOT NULL,
  `first_at` double NOT NULL,
  `last_at` double NOT NULL,
  `attempts` int(11) NOT NULL DEFAULT 1,
  `row_id` bigint(20) unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `one_per_key` (`table_name`,`key_hash`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_dead_letter` (`id`, `table_name`, `key_hash`, `item_key`, `item`, `reason`, `first_at`, `last_at`, `attempts`, `row_id`) VALUES (1, 'reviews', X'5460e3d7921497a6197c4bcea8cd94dd', '{"username": {"S": "user30"}, "reviewed_at": {"S": "2024-01-01T00000030"}}', '{"flavours": {"M": {"sweet": {"BOOL": true}, "mint": {"N": "4.5"}}}, "price": {"N": "30.4"}, "reviewed_at": {"S": "2024-01-01T00000030"}, "nothing": {"NULL": true}, "rating": {"N": "9"}, "text": {"S": "nice nice nice "}, "migrated": {"S": "false"}, "username": {"S": "user30"}, "tags": {"SS": ["a", "t2"]}}', 'MySQL refuses (1644): no such rating', 1795838944.2450395, 1795838944.2450395, 1, NULL);
CREATE TABLE `_twinrow_foreign_link` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_hash` binary(16) NOT NULL,
  `seen_id` varchar(190) NOT NULL,
  `met` int(11) NOT NULL DEFAULT 0,
  `armed` tinyint(4) NOT NULL DEFAULT 0,
  PRIMARY KEY (`table_name`,`key_hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
CREATE TABLE `_twinrow_gap` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `shard` varchar(190) NOT NULL,
  `cause` varchar(64) NOT NULL,
  `from_at` double DEFAULT NULL,
  `to_at` double DEFAULT NULL,
  `found_at` double NOT NULL,
  `closed_at` double DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `open_gaps` (`table_name`,`closed_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
CREATE TABLE `_twinrow_heartbeat` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `fence` bigint(20) NOT NULL,
  `deadline` datetime(6) NOT NULL,
  PRIMARY KEY (`table_name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_heartbeat` (`table_name`, `fence`, `deadline`) VALUES ('reviews', 3, '2026-11-28 04:09:14.677666');
INSERT INTO `_twinrow_heartbeat` (`table_name`, `fence`, `deadline`) VALUES ('visits', 3, '2026-11-28 04:09:14.677712');
CREATE TABLE `_twinrow_lease` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `fence` bigint(20) NOT NULL DEFAULT 0,
  `holder` varchar(64) NOT NULL DEFAULT '',
  `connection_id` bigint(20) NOT NULL DEFAULT 0,
  `generation` bigint(20) NOT NULL DEFAULT 0,
  `schema_version` bigint(20) NOT NULL DEFAULT 0,
  `row_count` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`table_name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_lease` (`table_name`, `fence`, `holder`, `connection_id`, `generation`, `schema_version`, `row_count`) VALUES ('reviews', 3, 'vm:21454:38a0b4043df8', 45, 7, 2, 14);
INSERT INTO `_twinrow_lease` (`table_name`, `fence`, `holder`, `connection_id`, `generation`, `schema_version`, `row_count`) VALUES ('visits', 3, 'vm:21454:38a0b4043df8', 47, 4, 2, 5);
CREATE TABLE `_twinrow_link` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_hash` binary(16) NOT NULL,
  `item_key` longtext NOT NULL,
  `generation` bigint(20) NOT NULL,
  `digest` binary(16) NOT NULL,
  `row_id` bigint(20) unsigned DEFAULT NULL,
  `mark` text DEFAULT NULL,
  `attempts` int(11) NOT NULL DEFAULT 0,
  `due_at` double NOT NULL DEFAULT 0,
  `refused` text DEFAULT NULL,
  PRIMARY KEY (`table_name`,`key_hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_link` (`table_name`, `key_hash`, `item_key`, `generation`, `digest`, `row_id`, `mark`, `attempts`, `due_at`, `refused`) VALUES ('reviews', X'c42e693bee11b07c6fc488b09fef063b', '{"username": {"S": "user3"}, "reviewed_at": {"S": "2024-01-01T00000003"}}', 7, X'a5f2f868315c25ea0876437a7284ad96', 2, '{"S": "false"}', 0, 0.0, NULL);
INSERT INTO `_twinrow_link` (`table_name`, `key_hash`, `item_key`, `generation`, `digest`, `row_id`, `mark`, `attempts`, `due_at`, `refused`) VALUES ('reviews', X'd67c552e6df50ff65de2243281280ee0', '{"username": {"S": "user31"}, "reviewed_at": {"S": "2024-01-01T00000031"}}', 7, X'34c19f9e2e41602f2b13fc3ee5449c67', 14, '{"S": "false"}', 0, 0.0, NULL);
CREATE TABLE `_twinrow_meta` (
  `name` varchar(64) NOT NULL,
  `value` varchar(255) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_meta` (`name`, `value`) VALUES ('version', '2');
CREATE TABLE `_twinrow_recheck` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_hash` binary(16) NOT NULL,
  `late` tinyint(4) NOT NULL DEFAULT 0,
  `item_key` longtext NOT NULL,
  `cause` varchar(190) NOT NULL,
  `seq` bigint(20) NOT NULL DEFAULT 0,
  `attempts` int(11) NOT NULL DEFAULT 0,
  `due_at` double NOT NULL DEFAULT 0,
  PRIMARY KEY (`table_name`,`key_hash`,`late`),
  KEY `due` (`table_name`,`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_recheck` (`table_name`, `key_hash`, `late`, `item_key`, `cause`, `seq`, `attempts`, `due_at`) VALUES ('reviews', X'4877deb66bc7e78b0b3cf1b476a4d771', 0, '{"username": {"S": "user5"}, "reviewed_at": {"S": "2024-01-01T00000005"}}', 'repair', 0, 0, 0.0);
CREATE TABLE `_twinrow_schema_log` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `version` bigint(20) NOT NULL,
  `attribute` longtext NOT NULL,
  `column_name` varchar(64) NOT NULL,
  `column_type` varchar(190) NOT NULL,
  `before_type` varchar(190) NOT NULL,
  `why` text NOT NULL,
  `at` double NOT NULL,
  PRIMARY KEY (`id`),
  KEY `of_table` (`table_name`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
CREATE TABLE `_twinrow_seen` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `pass_at` double NOT NULL,
  `block` bigint(20) NOT NULL,
  `bits` blob NOT NULL,
  PRIMARY KEY (`table_name`,`pass_at`,`block`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
CREATE TABLE `_twinrow_table` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `into_table` varchar(64) NOT NULL,
  `source_id` varchar(255) NOT NULL,
  `config` longtext NOT NULL,
  `table_schema` longtext NOT NULL,
  `phase` varchar(16) NOT NULL,
  `reason` text NOT NULL,
  `started_at` double NOT NULL DEFAULT 0,
  `snapshot_done_at` double DEFAULT NULL,
  `caught_up_at` double NOT NULL DEFAULT 0,
  `read_at` double NOT NULL DEFAULT 0,
  `oldest_at` double DEFAULT NULL,
  `backlog` bigint(20) DEFAULT NULL,
  `retention_left_s` double DEFAULT NULL,
  `reconciled_at` double DEFAULT NULL,
  `items` bigint(20) DEFAULT NULL,
  `verified` longtext DEFAULT NULL,
  `counters` longtext DEFAULT NULL,
  PRIMARY KEY (`table_name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `_twinrow_table` (`table_name`, `into_table`, `source_id`, `config`, `table_schema`, `phase`, `reason`, `started_at`, `snapshot_done_at`, `caught_up_at`, `read_at`, `oldest_at`, `backlog`, `retention_left_s`, `reconciled_at`, `items`, `verified`, `counters`) VALUES ('reviews', 'reviews', '@ID_OF_reviews@', CONVERT(X'7b22696e746f223a202272657669657773222c202263617074757265223a202270656e64696e672d696e646578222c20226c696e6b6564223a20747275652c20226c696e6b5f617474726962757465223a20226d7973716c5f6964222c20226f776e223a205b226d69677261746564222c20226d7973716c5f6964225d2c20226f7665727269646573223a205b5d2c202264656c65746564223a206e756c6c2c20226d61726b223a205b226d696772617465642d696e646578222c20226d69677261746564225d2c20226d61726b73223a205b227b5c22535c223a205c2266616c73655c227d225d7d' USING utf8mb4), '{"table":"reviews","into":"reviews","version":2,"keys":[{"name":"username","kind":"S"},{"name":"reviewed_at","kind":"S"}],"columns":[{"attribute":"username","column":"username","kind":"S","type":{"name":"VARCHAR","length":2048,"scale":null,"source":null},"key":true,"overridden":false},{"attribute":"reviewed_at","column":"reviewed_at","kind":"S","type":{"name":"VARCHAR","length":1024,"scale":null,"source":null},"key":true,"overridden":false},{"attribute":"flavours","column":"flavours","kind":"M","type":{"name":"JSON","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"price","column":"price","kind":"N","type":{"name":"DECIMAL","length":65,"scale":27,"source":null},"key":false,"overridden":false},{"attribute":"rating","column":"rating","kind":"N","type":{"name":"BIGINT","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"tags","column":"tags","kind":"SS","type":{"name":"JSON","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"text","column":"text","kind":"S","type":{"name":"MEDIUMTEXT","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"mixed","column":"mixed","kind":"L","type":{"name":"JSON","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"raw","column":"raw","kind":"B","type":{"name":"MEDIUMBLOB","length":null,"scale":null,"source":null},"key":false,"overridden":false}],"own":["migrated","mysql_id"],"overrides":[],"soft_deletes":false}', 'LIVE', '', 1795838941.6712213, 1795838941.944275, 1795838944.4748108, 1795838944.4890883, NULL, 0, NULL, NULL, 15, NULL, '{"since":1795838943.832984,"applied":[{"kind":"PUT","origin":"PENDING","count":1}],"links_paid":1,"links_refused":0,"rechecked":0,"parked":1,"in_extra":1,"read_units":0.5,"read_units_max":null,"read_share":1.0,"write_units":1.0,"write_units_max":null,"write_share":1.0,"reconcile_rows":null,"rates":{"puts_per_s":0.0,"deletes_per_s":0.0,"links_per_s":22.82,"read_units_per_s":0.0,"write_units_per_s":0.0}}');
INSERT INTO `_twinrow_table` (`table_name`, `into_table`, `source_id`, `config`, `table_schema`, `phase`, `reason`, `started_at`, `snapshot_done_at`, `caught_up_at`, `read_at`, `oldest_at`, `backlog`, `retention_left_s`, `reconciled_at`, `items`, `verified`, `counters`) VALUES ('visits', 'visits', '@ID_OF_visits@', '{"into": "visits", "capture": "scan", "linked": false, "link_attribute": "mysql_id", "own": [], "overrides": [], "deleted": null, "mark": null, "marks": null}', '{"table":"visits","into":"visits","version":2,"keys":[{"name":"username","kind":"S"},{"name":"reviewed_at","kind":"S"}],"columns":[{"attribute":"username","column":"username","kind":"S","type":{"name":"VARCHAR","length":2048,"scale":null,"source":null},"key":true,"overridden":false},{"attribute":"reviewed_at","column":"reviewed_at","kind":"S","type":{"name":"VARCHAR","length":1024,"scale":null,"source":null},"key":true,"overridden":false},{"attribute":"flavours","column":"flavours","kind":"M","type":{"name":"JSON","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"price","column":"price","kind":"N","type":{"name":"DECIMAL","length":38,"scale":9,"source":null},"key":false,"overridden":false},{"attribute":"rating","column":"rating","kind":"N","type":{"name":"BIGINT","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"tags","column":"tags","kind":"SS","type":{"name":"JSON","length":null,"scale":null,"source":null},"key":false,"overridden":false},{"attribute":"text","column":"text","kind":"S","type":{"name":"MEDIUMTEXT","length":null,"scale":null,"source":null},"key":false,"overridden":false}],"own":[],"overrides":[],"soft_deletes":false}', 'LIVE', '', 1795838941.6721902, 1795838941.9412987, 1795838944.154906, 1795838947.0417876, NULL, NULL, NULL, 1795838944.154906, 5, NULL, '{"since":1795838946.6490471,"applied":[],"links_paid":0,"links_refused":0,"rechecked":0,"parked":0,"in_extra":0,"read_units":0.0,"read_units_max":null,"read_share":1.0,"write_units":0.0,"write_units_max":null,"write_share":1.0,"reconcile_rows":0,"rates":{"puts_per_s":0.0,"deletes_per_s":0.0,"links_per_s":0.0,"read_units_per_s":0.0,"write_units_per_s":0.0}}');
CREATE TABLE `_twinrow_tombstone` (
  `table_name` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_hash` binary(16) NOT NULL,
  `row_id` bigint(20) unsigned DEFAULT NULL,
  `at` double NOT NULL,
  PRIMARY KEY (`table_name`,`key_hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

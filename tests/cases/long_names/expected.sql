SELECT column_name, CHAR_LENGTH(column_name) FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'items' AND (column_name LIKE 'a%' OR column_name LIKE 'e%') ORDER BY ordinal_position;
-- ["a_partition_key_whose_name_is_longer_than_the_sixty_four__5ea4e1", 64]
-- ["an_attribute_name_that_goes_on_for_more_than_sixty_four_c_d2ba01", 64]
-- ["an_attribute_name_that_goes_on_for_more_than_sixty_four_c_d642b8", 64]
-- ["exactly_sixty_four_characters_are_in_the_name_of_this_attribute_", 64]

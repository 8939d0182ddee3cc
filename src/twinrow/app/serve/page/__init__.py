"""The page that shows how every table is: read only, live, without assets from elsewhere."""

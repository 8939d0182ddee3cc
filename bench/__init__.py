"""How fast Twinrow is, each figure beside a yardstick taken in the same run on the same servers."""

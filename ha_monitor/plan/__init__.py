"""Planning: what would be otherwise if some keys were put; nothing is written."""

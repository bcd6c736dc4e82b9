"""Between a host and the tables: bus bridges, the registers, and the check of what was written."""

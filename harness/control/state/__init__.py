"""What the server must not lose: records of named kinds, and the database and files that keep them."""

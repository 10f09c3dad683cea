"""The database's one door, and one repository a table family."""

"""The report room: published figures as a table, a page or a file for people to read."""

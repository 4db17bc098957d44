"""The files a person may edit, read strictly: unknown keys refused, errors name line, value, fix."""

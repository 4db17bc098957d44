"""The files a person may edit, read strictly: errors name line, value and fix."""

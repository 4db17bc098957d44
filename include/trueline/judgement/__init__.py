"""What is said of a campaign, of what may still come of it, and of the funnel as a whole."""

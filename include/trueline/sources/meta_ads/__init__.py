"""Meta Insights: delivery and claims per campaign, day and action type."""

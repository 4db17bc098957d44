"""Google Ads: delivery, claims by conversion date and click ids, over REST searchStream."""

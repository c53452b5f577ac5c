"""What texts are made of: the house's own words by language, and what SMS makes of letters."""

"""Owns what is said of evacuation zones, and which of them no live alert covers.
Consumes the evacuation zone and town layers and the areas of live alerts.
Publishes nothing."""

"""The subscriber service: residents, their contact points, places and consent."""

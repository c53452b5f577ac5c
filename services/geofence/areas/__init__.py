"""Owns what an area is: drawn shapes, circles and named features made one exact geometry.
Consumes layers and, for estimates, the index.
Publishes nothing; answers with a digest that an alert is approved by."""

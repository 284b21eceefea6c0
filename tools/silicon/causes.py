"""Causes of residuals that stay, by row: what the layer classes and the vendor's own table say."""

CAUSES = {}

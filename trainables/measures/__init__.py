"""Measures: each asks one question of a trained method."""

"""Scores, one file each: exact counts of pixels first, one formula after."""

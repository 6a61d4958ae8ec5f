"""Masks as runs of pixels: what they are made from, written as, measured and drawn by, without torch."""

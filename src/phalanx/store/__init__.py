"""Predictions on disk: every network's logits, kept, compact and safe."""

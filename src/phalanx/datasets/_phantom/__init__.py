"""Synthetic hand X-rays: people, their skeleton, the picture of it, and the folder they are written to."""

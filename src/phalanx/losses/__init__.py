"""Losses, one file each; all take logits and a batch's labels, and ask the label space what these mean."""

"""From images to stored logits: flips, windows, the predictor."""

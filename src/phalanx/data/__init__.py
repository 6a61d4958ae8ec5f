"""From cases to batches: folds, decoding, integrity checks, caches, views and loaders."""

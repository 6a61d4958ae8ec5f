"""Post-processing steps, one file each: runs in, runs out, safe on an empty mask."""

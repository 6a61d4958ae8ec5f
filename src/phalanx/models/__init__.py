"""Networks, one file each: thin wrappers with the encode/decode seam that the methods work on."""

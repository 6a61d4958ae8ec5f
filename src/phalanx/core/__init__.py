"""The words every room shares: labels, cases, geometry, configuration, catalogues, errors, progress."""

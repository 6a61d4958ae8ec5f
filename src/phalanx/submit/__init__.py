"""Submissions: writing the file a scoring server takes, and finding what it would reject."""

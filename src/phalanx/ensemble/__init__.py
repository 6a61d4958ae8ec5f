"""Combining predictions; no network is ever loaded here."""

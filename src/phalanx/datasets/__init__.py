"""Catalogue of readers: each turns a folder of images and annotations into cases, without decoding a pixel."""

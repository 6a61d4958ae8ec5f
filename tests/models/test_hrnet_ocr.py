"""Object-contextual representations, in numbers."""

import math

import torch

from phalanx.models._hrnet_ocr import ObjectAttention, regions


def test_regions_are_means_weighted_by_a_softmax_over_the_pixels() -> None:
    # One image, two channels, three pixels; the first class is 3/4 on the first pixel, the second even.
    pixels = torch.tensor([[1.0, 2, 3], [0, -6, 12]]).reshape(1, 2, 1, 3)
    logits = torch.tensor([[math.log(6.0), 0, 0], [5, 5, 5]]).reshape(1, 2, 1, 3)
    found = regions(pixels, logits)
    assert found.shape == (1, 2, 2, 1)
    # (6 x 1 + 2 + 3) / 8 and (6 x 0 - 6 + 12) / 8; the plain means
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([11 / 8, 6 / 8]))
    torch.testing.assert_close(found[0, :, 1, 0], torch.tensor([2.0, 2.0]))


def test_attention_is_that_of_the_definition() -> None:
    """Pixel by pixel: a softmax over the classes of query times key over the root of the keys' width."""
    module = ObjectAttention(6, 4).eval()
    pixels, objects = torch.randn(2, 6, 3, 5), torch.randn(2, 6, 7, 1)
    found = module(pixels, objects)
    query, key, value = module.query(pixels), module.key(objects)[..., 0], module.value(objects)[..., 0]
    context = torch.empty(2, 4, 3, 5)
    for image in range(2):
        for row in range(3):
            for column in range(5):
                alike = torch.stack([query[image, :, row, column] @ key[image, :, c] / 2 for c in range(7)])
                context[image, :, row, column] = value[image] @ alike.softmax(0)
    torch.testing.assert_close(found, module.rise(context))

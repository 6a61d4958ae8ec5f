"""Every method: named finite terms, learning, prediction, save and load."""

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.case import Batch
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress

LABELS = LabelSpace(("square", "bar"))


def make_net() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 3, padding=1)
    )


def method_of(name: str):
    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), LABELS)
    return catalogue.build("methods", catalogue.entry("methods", name).Config(), make_net, LABELS, loss, torch.ones(2))


def batch() -> Batch:
    y = torch.zeros(3, 2, 12, 10, dtype=torch.uint8)
    y[:, 0, 2:6, 3:7] = 1
    y[:, 1, 8:10, :] = 1
    x = y.float().sum(1, keepdim=True) + 0.1 * torch.randn(3, 1, 12, 10)
    return Batch(x, y, ("a", "b", "c"))


@pytest.mark.parametrize("name", catalogue.names("methods"))
def test_twenty_steps_lower_the_loss(name: str) -> None:
    method, given = method_of(name), batch()
    optimiser = torch.optim.Adam(method.parameters(), lr=0.03)
    values = []
    for step in range(20):
        terms = method.step(given, Progress(step, 20))
        assert all(term.shape == () and torch.isfinite(term) for term in terms.values())
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        method.after_step(Progress(step + 1, 20))
        values.append(loss.item())
    method.end_epoch()
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize("name", catalogue.names("methods"))
def test_the_state_is_the_whole_checkpoint(name: str) -> None:
    first, second, given = method_of(name), method_of(name), batch()
    for parameter in second.parameters():
        torch.nn.init.normal_(parameter)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.predict(given.x), second.predict(given.x))
    assert first.predict(given.x).shape == (3, 2, 12, 10)


@pytest.mark.parametrize("name", catalogue.names("methods"))
def test_labels_of_a_blended_image_count_by_their_share(name: str) -> None:
    method, given = method_of(name), batch()
    other = given.y.roll(3, -1)
    ends, first = [], given.y
    for y in (first, other):
        given.y = y
        ends.append(sum(method.step(given, Progress(0, 20)).values()).item())
    blended = Batch(given.x, first, given.ids, other=other, share=0.3)
    assert abs(ends[0] - ends[1]) > 1e-3
    total = sum(method.step(blended, Progress(0, 20)).values()).item()
    assert total == pytest.approx(0.3 * ends[0] + 0.7 * ends[1], rel=1e-5)

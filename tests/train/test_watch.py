"""Whoever watches a training hears of each validation once, and of nothing else."""

from types import SimpleNamespace

from phalanx.train.watch import Watch


def test_epochs_without_a_validation_are_passed_over() -> None:
    heard: list[tuple[int, float]] = []
    watch = Watch(lambda epoch, dice: heard.append((epoch, dice)))
    for epoch in range(5):
        # The last value stands in the metrics until the next validation.
        metrics = {"val_dice": 0.1 * (epoch // 2)} if epoch else {}
        trainer = SimpleNamespace(current_epoch=epoch, check_val_every_n_epoch=2, callback_metrics=metrics)
        watch.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert heard == [(1, 0.0), (3, 0.1)]
    assert not watch.state_dict()

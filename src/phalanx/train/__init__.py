"""The one training loop: a Lightning adapter round any method, optimisers, schedules, checkpoints."""

"""Losses: frozen dataclasses over arrays; they know nothing of tables. THE REGISTRY: one line a
loss.
"""

from recsys.losses.log_loss import LogLoss

LOSSES = {"log_loss": LogLoss}

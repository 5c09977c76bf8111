"""A LightningModule and its Trainer. Arguments: CSV, model, epochs, rate."""

import sys
from typing import Any

import lightning as L  # noqa: N812 - its own name for itself
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

table, model_file, epochs, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])


class Regression(L.LightningModule):  # type: ignore[misc]
    """One linear layer."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(features, 1)

    def training_step(self, batch: Any, _: int) -> Any:
        """The mean squared error of a batch."""
        inputs, target = batch
        return nn.functional.mse_loss(self.layer(inputs), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=rate)


frame = pd.read_csv(table)
X = torch.tensor(frame.drop(columns="y").to_numpy(), dtype=torch.float32)
y = torch.tensor(frame[["y"]].to_numpy(), dtype=torch.float32)
trainer = L.Trainer(
    max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
)
trainer.fit(Regression(X.shape[1]), DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True))
trainer.save_checkpoint(model_file)

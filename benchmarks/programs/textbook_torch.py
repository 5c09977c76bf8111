"""The loop of every tutorial: pandas, DataLoader, SGD. Arguments: CSV, model, epochs, rate."""

import sys

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

table, model_file, epochs, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
frame = pd.read_csv(table)
X = torch.tensor(frame.drop(columns="y").to_numpy(), dtype=torch.float32)
y = torch.tensor(frame[["y"]].to_numpy(), dtype=torch.float32)
model, loss = nn.Linear(X.shape[1], 1), nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
loader = DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True)
for _ in range(epochs):
    for inputs, target in loader:
        optimizer.zero_grad()
        loss(model(inputs), target).backward()
        optimizer.step()
torch.save(model.state_dict(), model_file)

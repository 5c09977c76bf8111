"""The floor: import torch, build an SGD, and read the CSV if one is given."""

import sys

import torch

torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1)
if len(sys.argv) > 1:
    import pyarrow.csv as pcsv

    pcsv.read_csv(sys.argv[1])

#!/usr/bin/env python3
"""Data-parallel training with PyTorch: a linear model on data with known weights.

Nothing in it is prova's but the lines that it prints: it reads the variables that torchrun would set (RANK,
WORLD_SIZE, MASTER_ADDR, MASTER_PORT), and runs alone where there are none.

    prova run examples/distributed/ddp.yaml
"""

import argparse
import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()

    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo")

    torch.manual_seed(0)  # all ranks draw the same data and weights, and each takes its part of the data
    weights = torch.randn(8, 1)
    inputs = torch.randn(512, 8)
    targets = inputs @ weights
    model: torch.nn.Module = torch.nn.Linear(8, 1)
    if world > 1:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr)

    part = slice(rank, None, world)
    for epoch in range(1, options.epochs + 1):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(inputs[part]), targets[part]).backward()
        optimizer.step()
        with torch.no_grad():
            loss = torch.nn.functional.mse_loss(model(inputs), targets).item()
        print(f"prova: step={epoch} loss={loss:.6g}", flush=True)

    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()

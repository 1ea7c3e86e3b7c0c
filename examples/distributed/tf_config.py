#!/usr/bin/env python3
"""A training whose processes find each other by TF_CONFIG: Keras on MultiWorkerMirroredStrategy where TensorFlow is
installed, else a stand-in that sums a gradient over TCP, to show that the addresses are right and free to listen at.

    prova run examples/distributed/tf_config.yaml
"""

import json
import os
import socket
import sys
import time

LR = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
STEPS = 10


def train_with_tensorflow(tf) -> None:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    tf.random.set_seed(0)
    inputs = tf.random.normal((256, 4))
    targets = tf.reduce_sum(inputs, axis=1, keepdims=True)
    with strategy.scope():
        model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
        model.compile(tf.keras.optimizers.SGD(LR), "mse")
    for step in range(1, STEPS + 1):
        history = model.fit(inputs, targets, batch_size=64, verbose=0)
        print(f"prova: step={step} loss={history.history['loss'][-1]:.6g}", flush=True)


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    for _ in range(600):  # its process may not listen yet
        try:
            return socket.create_connection((host, int(port)))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens at {address}")


def sum_over_all(peers: list, is_chief: bool, value: float) -> float:
    """The sum of every process's value: each worker sends its own to the chief and gets the sum back."""
    if not is_chief:
        peers[0].write(f"{value!r}\n")
        peers[0].flush()
        return float(peers[0].readline())
    total = value + sum(float(peer.readline()) for peer in peers)
    for peer in peers:
        peer.write(f"{total!r}\n")
        peer.flush()
    return total


def train_alone(config: dict) -> None:
    cluster, task = config["cluster"], config["task"]
    if task["type"] == "ps":
        while True:  # a parameter server never ends by itself: it is ended when the chief has
            time.sleep(1)
    is_chief = task["type"] == "chief"
    workers = cluster.get("worker", [])
    if is_chief:
        peers = [connect(address).makefile("rw") for address in workers]
    else:
        server = socket.create_server(("", int(workers[task["index"]].rsplit(":", 1)[1])))
        peers = [server.accept()[0].makefile("rw")]
    rank = 0 if is_chief else task["index"] + 1
    world = len(workers) + 1
    weight = 0.0  # of the minimum of the mean of (weight - r)^2 over all ranks r
    for step in range(1, STEPS + 1):
        gradient = sum_over_all(peers, is_chief, 2 * (weight - rank)) / world
        weight -= LR * gradient
        loss = sum_over_all(peers, is_chief, (weight - rank) ** 2) / world
        print(f"prova: step={step} loss={loss:.6g}", flush=True)


def main() -> None:
    config = json.loads(os.environ.get("TF_CONFIG", '{"cluster": {}, "task": {"type": "chief", "index": 0}}'))
    try:
        import tensorflow
    except ImportError:
        train_alone(config)
    else:
        train_with_tensorflow(tensorflow)


if __name__ == "__main__":
    main()

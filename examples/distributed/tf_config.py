#!/usr/bin/env python3
"""A training whose processes find each other by TF_CONFIG: TensorFlow's MultiWorkerMirroredStrategy, or with parameter
servers its ParameterServerStrategy; where TensorFlow is not installed a stand-in that sums a gradient over TCP, to show
that the addresses are right and free to listen at.

    prova run examples/distributed/tf_config.yaml
    prova run examples/distributed/tf_config.yaml --set 'distributed={workers: 4, runtime: tensorflow, parameter_servers: 1}'
"""

import json
import os
import socket
import sys
import time

LR = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
STEPS = 10


def data(tf, part: int, parts: int) -> tuple:
    """A part of the examples, whose targets are the sums of their inputs."""
    inputs = tf.random.stateless_normal((256, 4), seed=(0, 1))[part::parts]
    return inputs, tf.reduce_sum(inputs, axis=1, keepdims=True)


def loss_of(tf, weights, inputs, targets):
    return tf.reduce_mean((inputs @ weights - targets) ** 2)


def descend(tf, weights, inputs, targets):
    """One step of gradient descent on these examples; the loss before it."""
    with tf.GradientTape() as tape:
        loss = loss_of(tf, weights, inputs, targets)
    weights.assign_sub(LR * tape.gradient(loss, weights))
    return loss


def train_mirrored(tf, config: dict) -> None:
    """Every process has the weights and a part of the data, and they apply the mean of their gradients."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    world = 1 + len(config["cluster"].get("worker", []))
    rank = 0 if config["task"]["type"] == "chief" else config["task"]["index"] + 1
    inputs, targets = data(tf, rank, world)
    with strategy.scope():
        weights = tf.Variable(tf.zeros((4, 1)), aggregation=tf.VariableAggregation.MEAN)

    @tf.function
    def train_step():
        losses = strategy.run(lambda x, y: descend(tf, weights, x, y), args=(inputs, targets))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    for step in range(1, STEPS + 1):
        print(f"prova: step={step} loss={float(train_step()):.6g}", flush=True)


def train_with_servers(tf, config: dict) -> None:
    """The weights are on parameter servers; the chief hands parts of the data to the workers."""
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if config["task"]["type"] != "chief":
        server = tf.distribute.Server(
            resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id, protocol="grpc"
        )
        server.join()  # never returns: it is ended when the chief has
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    parts = len(config["cluster"]["worker"])
    with strategy.scope():
        weights = tf.Variable(tf.zeros((4, 1)))

    @tf.function
    def train_step(part):
        inputs, targets = data(tf, 0, 1)
        return descend(tf, weights, inputs[part::parts], targets[part::parts])

    for step in range(1, STEPS + 1):
        losses = [coordinator.schedule(train_step, args=(tf.constant(part),)) for part in range(parts)]
        coordinator.join()
        print(f"prova: step={step} loss={sum(loss.fetch() for loss in losses) / parts:.6g}", flush=True)


def train_with_tensorflow(tf, config: dict) -> None:
    if "ps" in config["cluster"]:
        train_with_servers(tf, config)
    else:
        train_mirrored(tf, config)


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
        train_with_tensorflow(tensorflow, config)


if __name__ == "__main__":
    main()

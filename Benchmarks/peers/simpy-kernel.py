"""The hold model and PHOLD on SimPy, with the parameters of Benchmarks/Sources.

Usage: simpy-kernel.py hold PENDING EVENTS
       simpy-kernel.py phold NODES EVENTS
Prints millions of events per second of user time. Events are plain callbacks, SimPy's fastest form.
"""
import random
import resource
import sys

import simpy
from simpy.events import NORMAL, Event


def user_seconds():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def main():
    kind, size, events = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    generator = random.Random(1)
    mean = 1e8 if kind == "hold" else 1e6
    shift = 0 if kind == "hold" else 1000
    increments = [int(generator.expovariate(1 / mean)) + shift for _ in range(1 << 16)]
    environment = simpy.Environment()
    received = [0] * size
    step = 0

    def schedule(node):
        nonlocal step
        event = Event(environment)
        event._ok = True
        event._value = node
        event.callbacks.append(receive)
        environment.schedule(event, NORMAL, increments[step & 0xFFFF])
        step += 1

    def receive(event):
        node = event._value
        received[node] += 1
        schedule(node if kind == "hold" else int(generator.random() * size))

    for node in range(size):
        schedule(node)
    start = user_seconds()
    for _ in range(events):
        environment.step()
    print(f"{events / (user_seconds() - start) / 1e6:.3f}")


main()

"""A switch of Ethernet with a delay and loss: slow_switch.py SECONDS SHARE PORT...

Prints a line when it is ready, and runs until it is killed. The program forwards whole frames of 64 KB with the header of virtio, as
the kernel's own bridge does, so that it keeps up.
"""

import collections
import contextlib
import os
import random
import select
import socket
import sys
import time

ALL_PROTOCOLS = 0x0003
SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 263, 15, 4
VNET_HEADER = 10

delay, loss = float(sys.argv[1]), float(sys.argv[2])
ports = []
for name in sys.argv[3:]:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    port.bind((name, ALL_PROTOCOLS))
    port.setblocking(False)
    ports.append(port)
# The delay should not be that of the scheduler of a busy machine.
with contextlib.suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
generator = random.Random(1)
# The port of each address, and the frames that are on their way with the time of their arrival.
places, way = {}, collections.deque()
print("ready", flush=True)
while True:
    left = [max(way[0][0] - time.monotonic(), 0)] if way else []
    for port in select.select(ports, [], [], *left)[0]:
        with contextlib.suppress(OSError):  # the link is down
            frame, address = port.recvfrom(1 << 17)
            if address[2] == PACKET_OUTGOING or generator.random() < loss:
                continue
            destination, source = frame[VNET_HEADER:][:6], frame[VNET_HEADER:][6:12]
            places[source] = port
            way.append((time.monotonic() + delay, port, places.get(destination), frame))
    while way and way[0][0] <= time.monotonic():
        _, origin, target, frame = way.popleft()
        for port in [target] if target else ports:
            if port is not origin:
                with contextlib.suppress(OSError):
                    port.send(frame)

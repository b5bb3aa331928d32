"""A cache-aware router's part, written without Trainyard: reads a server's KV events, rebuilds the
set of cached blocks, hashes every stored block anew, and asks the server whether it finds what the
set says (usage.prompt_tokens_details.cached_tokens).

    pip install pyzmq msgpack cbor2
    trainyard serve --device cpu --num-gpu-blocks-override 220 --enable-prompt-tokens-details \
        --kv-events-config '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557"}'
    python scripts/maintain/proofs/kv_subscriber.py [--url http://127.0.0.1:8000] [--requests 5000]
"""

import argparse
import json
import random
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import msgpack
import zmq

from block_hashes import SEED, digest

BLOCK = 16
QUIET_SECONDS = 1.0  # without a message: the events are all here


class Router:
    """cached: 64-bit hashes of the blocks that the events say are in the cache."""

    def __init__(self, endpoint: str):
        self.cached: set[int] = set()
        self.whole = {None: digest(SEED)}
        self.counts = dict.fromkeys(["messages", "stored", "removed", "unknown", "gaps", "wrong hashes"], 0)
        self.last = -1
        self.heard = time.monotonic()
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.connect(endpoint)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        threading.Thread(target=self._read, daemon=True).start()

    def settle(self):
        while time.monotonic() - self.heard < QUIET_SECONDS:
            time.sleep(0.1)

    def _read(self):
        while True:
            _topic, sequence, payload = self.socket.recv_multipart()
            number = int.from_bytes(sequence, "big")
            self.counts["gaps"] += self.last >= 0 and number != self.last + 1
            self.last = number
            self.counts["messages"] += 1
            for event in msgpack.unpackb(payload, strict_map_key=False)[1]:
                self._apply(event)
            self.heard = time.monotonic()

    def _apply(self, event):
        match event["type"]:
            case "BlockStored":
                parent = self.whole.get(event["parent_block_hash"])
                for index, number in enumerate(event["block_hashes"]):
                    tokens = event["token_ids"][index * BLOCK : (index + 1) * BLOCK]
                    self.cached.add(number)
                    self.counts["stored"] += 1
                    parent = digest((parent, tuple(tokens), None)) if parent else None
                    if parent is None or short(parent) != number:
                        self.counts["wrong hashes"] += 1
                    else:
                        self.whole[number] = parent
            case "BlockRemoved":
                for number in event["block_hashes"]:
                    self.counts["removed"] += 1
                    self.counts["unknown"] += number not in self.cached
                    self.cached.discard(number)
            case "AllBlocksCleared":
                self.cached.clear()

    def found(self, prompt: list[int]) -> int:
        """Tokens of the prompt that the cache holds; its last token is always computed."""
        parent = digest(SEED)
        for begin in range(0, (len(prompt) - 1) // BLOCK * BLOCK, BLOCK):
            parent = digest((parent, tuple(prompt[begin : begin + BLOCK]), None))
            if short(parent) not in self.cached:
                return begin
        return (len(prompt) - 1) // BLOCK * BLOCK


def short(whole: bytes) -> int:
    return int.from_bytes(whole, "big") & (2**64 - 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5557")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--questions", type=int, default=200)
    options = parser.parse_args()
    router = Router(options.endpoint)
    draw = random.Random(5)
    begins = [[draw.randrange(10, 8000) for _ in range(160)] for _ in range(12)]

    def prompt(rng):
        own = [rng.randrange(10, 8000) for _ in range(rng.randrange(60))]
        return rng.choice(begins)[: rng.randrange(1, 160)] + own

    def ask(body):
        data = json.dumps({"temperature": 0, "ignore_eos": True, **body}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{options.url}/v1/completions", data, headers)
        return json.load(urllib.request.urlopen(request, timeout=120))["usage"]

    def load(index):
        rng = random.Random(1000 + index)
        ask({"prompt": prompt(rng), "max_tokens": rng.randrange(1, 12)})

    time.sleep(0.5)  # the subscription is on its way
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(load, range(options.requests)))
    different = 0
    for index in range(options.questions):
        router.settle() if index == 0 else time.sleep(0.02)
        tokens = prompt(random.Random(90_000 + index))
        expected = router.found(tokens)
        usage = ask({"prompt": tokens, "max_tokens": 1})
        different += usage["prompt_tokens_details"]["cached_tokens"] != expected
    print(f"{options.requests} requests; {router.counts}; {len(router.cached)} blocks in the set")
    print(f"of {options.questions} prompts the server found otherwise than the set says: {different}")


if __name__ == "__main__":
    main()

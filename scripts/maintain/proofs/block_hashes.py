"""Block hashes as vLLM's `sha256_cbor` gives them, computed without vLLM and without Trainyard.

Definition (vLLM vllm/utils/hashing.py, vllm/v1/core/kv_cache_utils.py):
    hash(x)   = sha256(cbor2.dumps(x, canonical=True))
    root      = hash(PYTHONHASHSEED as text)
    block     = hash((parent, token ids as a tuple, extra keys as a tuple or None))
    extra     = ("lora", name, path) in every block, then ("cache_salt", salt) in the first only (0.32)
    int hash  = the last 64 bits, big endian

    pip install cbor2 && python scripts/maintain/proofs/block_hashes.py > scripts/maintain/proofs/block-hashes.json
"""

import hashlib
import json
import random

import cbor2

SEED = "0"


def digest(value):
    return hashlib.sha256(cbor2.dumps(value, canonical=True)).digest()


def chain(tokens, block_size, adapter=None, salt=None):
    parent = digest(SEED)
    for begin in range(0, len(tokens) - block_size + 1, block_size):
        extra = [("lora", adapter["name"], adapter["path"])] if adapter else []
        extra += [("cache_salt", salt)] if salt and begin == 0 else []
        parent = digest((parent, tuple(tokens[begin : begin + block_size]), tuple(extra) or None))
        yield parent


def case(name, tokens, block_size, **keys):
    hashes = list(chain(tokens, block_size, **keys))
    return {
        "name": name,
        "blockSize": block_size,
        "tokens": tokens,
        **keys,
        "hashes": [each.hex() for each in hashes],
        # As text: JSON numbers end at 2^53.
        "ints": [str(int.from_bytes(each, "big") & (2**64 - 1)) for each in hashes],
    }


def main():
    draw = random.Random(20261123)
    ids = [draw.randrange(151_936) for _ in range(80)]
    edges = [0, 23, 24, 255, 256, 65_535, 65_536, 200_018]
    cases = [
        case("one block of 16", ids[:16], 16),
        case("five blocks of 16", ids, 16),
        case("a tail that fills no block", ids[:39], 16),
        case("blocks of 32", ids[:64], 32),
        case("blocks of 128, more ids than CBOR counts in a byte", (ids * 4)[:256], 128),
        case("ids at the edges of CBOR's widths", edges, 4),
        case("a salt, in the first block only", ids[:48], 16, salt="tenant-a"),
        case("an adapter, in each block", ids[:48], 16, adapter={"name": "sql-lora", "path": "/adapters/sql"}),
        case("adapter and salt, of more than ASCII", ids[:32], 16, adapter={"name": "módulo", "path": "a/módulo"}, salt="säl†"),
        case("a salt longer than CBOR's short texts", ids[:16], 16, salt="s" * 300),
    ]
    print(json.dumps({"root": digest(SEED).hex(), "cases": cases}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()

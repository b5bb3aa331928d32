"""Scenarios (scenario.ts) through vLLM 0.32's own Scheduler and KVCacheManager, without a model.

Reads a scenario a line, writes its steps a line. Needs vLLM's CPU build, PYTHONHASHSEED=0 and
the folder of any small model, whose config.json alone is read:

    PYTHONHASHSEED=0 python scripts/maintain/proofs/scheduler/scheduler.py FOLDER < scenarios > steps
"""

import json
import os
import sys

out = os.fdopen(os.dup(1), "w")  # vLLM prints to stdout
os.dup2(2, 1)

import torch  # noqa: E402
import vllm  # noqa: E402
from vllm.config import CacheConfig, ModelConfig, ParallelConfig, SchedulerConfig  # noqa: E402
from vllm.config import SpeculativeConfig, VllmConfig  # noqa: E402
from vllm.sampling_params import SamplingParams  # noqa: E402
from vllm.utils.hashing import sha256_cbor  # noqa: E402
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash  # noqa: E402
from vllm.v1.core.sched.scheduler import Scheduler  # noqa: E402
from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs  # noqa: E402
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec  # noqa: E402
from vllm.v1.outputs import DraftTokenIds, ModelRunnerOutput  # noqa: E402
from vllm.v1.request import Request, RequestStatus  # noqa: E402
from vllm.v1.structured_output import StructuredOutputManager  # noqa: E402

STEPS, IDS, MASK = 120, 61, 0xFFFFFFFF
MAX_MODEL_LEN = 1024


def mixed(seed, key, position):
    h = ((seed + 1) * 0x9E3779B1 ^ (key + 1) * 0x85EBCA6B ^ (position + 1) * 0xC2B2AE35) & MASK
    h ^= h >> 15
    h = h * 0x2C1B3C6D & MASK
    return h ^ h >> 12


class World:
    """What a scenario says of ids and guesses."""

    def __init__(self, of):
        self.of = of

    def id_at(self, key, position):
        return mixed(self.of["seed"], key, position) % (IDS + 1)

    def guesses_at(self, key, length, count):
        seed, drafts = self.of["seed"], self.of["drafts"]
        offered = 1 + mixed(seed + 7, key, length) % drafts
        guesses = []
        for at in range(length, length + min(count, offered)):
            token = self.id_at(key, at)
            holds = mixed(seed + 13, key, at) % 100 < self.of["holds"]
            guesses.append(token if holds else (token + 1) % (IDS + 1))
        return guesses


def scheduler_of(of, folder):
    model = ModelConfig(model=folder, dtype="float32", skip_tokenizer_init=True, max_model_len=MAX_MODEL_LEN)
    config = VllmConfig(
        model_config=model,
        scheduler_config=SchedulerConfig(
            max_num_seqs=of["maxSeqs"],
            max_num_batched_tokens=MAX_MODEL_LEN,
            max_model_len=MAX_MODEL_LEN,
            is_encoder_decoder=False,
            policy=of["policy"],
            async_scheduling=False,
        ),
        cache_config=CacheConfig(block_size=of["blockSize"], enable_prefix_caching=of["caching"]),
        parallel_config=ParallelConfig(),
        speculative_config=SpeculativeConfig(
            model="ngram",
            num_speculative_tokens=of["drafts"],
            prompt_lookup_max=4,
            prompt_lookup_min=1,
            # One length for all sizes, given as a table: rows of newcomers are then not padded for CUDA graphs.
            num_speculative_tokens_per_batch_size=[(1, of["maxSeqs"], of["drafts"])],
        )
        if of["drafts"]
        else None,
    )
    # Set where no check asks for room for a whole context.
    config.scheduler_config.max_num_batched_tokens = of["maxTokens"]
    config.scheduler_config.enable_chunked_prefill = of["chunked"]
    blocks = of["blocks"] + 1  # one is never given out
    config.cache_config.num_gpu_blocks = blocks
    spec = FullAttentionSpec(block_size=of["blockSize"], num_kv_heads=1, head_size=1, dtype=torch.float32)
    register_all_kvcache_specs(config)
    return Scheduler(
        vllm_config=config,
        kv_cache_config=KVCacheConfig(
            num_blocks=blocks, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)]
        ),
        block_size=of["blockSize"],
        structured_output_manager=StructuredOutputManager(config),
    )


def request_of(one, of, hasher):
    params = SamplingParams(
        max_tokens=one["maxTokens"], ignore_eos=True, stop_token_ids=[0] if of["stops"] else None, temperature=0
    )
    params.update_from_generation_config({}, 1 << 20)
    return Request(
        request_id=str(one["key"]),
        prompt_token_ids=one["prompt"],
        sampling_params=params,
        pooling_params=None,
        arrival_time=float(one["key"]),
        priority=one["priority"],
        block_hasher=hasher,
    )


def sampled(scheduler, output, world):
    """What a model would have answered: an id for who has reached its end, and the guesses that hold."""
    ids, tokens = list(output.num_scheduled_tokens), []
    for name in ids:
        request = scheduler.requests[name]
        guesses = output.scheduled_spec_decode_tokens.get(name, [])
        new = []
        if request.num_computed_tokens - len(guesses) >= request.num_tokens:
            at = request.num_tokens
            for guess in [*guesses, None]:
                new.append(world.id_at(int(name), at))
                if guess != new[-1]:
                    break
                at += 1
        tokens.append(new)
    return ModelRunnerOutput(
        req_ids=ids, req_id_to_index={name: i for i, name in enumerate(ids)}, sampled_token_ids=tokens
    )


def guess(scheduler, world, limits):
    names, guesses = [], []
    for request in scheduler.running:
        length = request.num_tokens
        count = min(world.of["drafts"], limits[request.request_id] - length - 1)
        if length - request.num_computed_tokens == 1 and count > 0:
            names.append(request.request_id)
            guesses.append(world.guesses_at(int(request.request_id), length, count))
    scheduler.update_draft_token_ids(DraftTokenIds(names, guesses))


def names_of(scheduler):
    total = 0
    names = scheduler.kv_cache_manager.block_pool.cached_block_hash_to_block._cache
    for name in names:
        total ^= int.from_bytes(name[:6], "big")
    return [len(names), total]


def by_key(pairs):
    return sorted([int(key), value] for key, value in pairs)


def run(of, folder):
    scheduler, world = scheduler_of(of, folder), World(of)
    hasher = get_request_block_hasher(of["blockSize"], sha256_cbor) if of["caching"] else None
    limits, steps = {}, []
    for step in range(STEPS):
        for one in of["aborts"]:
            if one["step"] == step and str(one["key"]) in scheduler.requests:
                scheduler.finish_requests(str(one["key"]), RequestStatus.FINISHED_ABORTED)
        for one in of["arrivals"]:
            if one["step"] == step:
                limits[str(one["key"])] = min(len(one["prompt"]) + one["maxTokens"], MAX_MODEL_LEN)
                scheduler.add_request(request_of(one, of, hasher))
        before = {name: request.num_preemptions for name, request in scheduler.requests.items()}
        output = scheduler.schedule()
        cached = output.scheduled_cached_reqs
        found = [(each.req_id, each.num_computed_tokens) for each in output.scheduled_new_reqs]
        resumed = cached.resumed_req_ids
        found += [(n, c) for n, c in zip(cached.req_ids, cached.num_computed_tokens) if n in resumed]
        rows = list(output.num_scheduled_tokens.items())
        blocks = [(name, len(scheduler.kv_cache_manager.get_block_ids(name)[0])) for name, _ in rows]
        preempted = [int(n) for n, c in before.items() if scheduler.requests[n].num_preemptions > c]
        results = scheduler.update_from_output(output, sampled(scheduler, output, world))
        ends = [
            (each.request_id, str(each.finish_reason))
            for result in results.values()
            for each in result.outputs
            if each.finish_reason is not None
        ]
        if of["drafts"]:
            guess(scheduler, world, limits)
        steps.append(
            {
                "rows": by_key(rows),
                "blocks": by_key(blocks),
                "found": by_key(found),
                "preempted": sorted(preempted),
                "finished": by_key(ends),
                "names": names_of(scheduler),
            }
        )
    return steps


def main():
    if not vllm.__version__.startswith("0.32."):
        sys.exit(f"vLLM {vllm.__version__}, not 0.32")
    init_none_hash(sha256_cbor)
    for line in sys.stdin:
        of = json.loads(line)
        out.write(json.dumps({"seed": of["seed"], "steps": run(of, sys.argv[1])}) + "\n")
        out.flush()


main()

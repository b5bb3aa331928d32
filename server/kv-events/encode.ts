/**
 * The engine's KV events in vLLM's wire format: a msgpack array
 * `[seconds, [event, …], data-parallel rank]` of maps tagged by `type`.
 *
 * Source: vLLM vllm/distributed/kv_events.py (maps since its pull request 42892),
 * maybe_convert_block_hash in vllm/v1/core/kv_cache_utils.py.
 */
import { Encoder } from "@msgpack/msgpack";
import type { BlocksCleared, BlocksRemoved, BlocksStored } from "../../engine/events.ts";

export type KvEvent = BlocksStored | BlocksRemoved | BlocksCleared;

export interface WireOptions {
  readonly blockSize: number;
  /** Hashes as their last 64 bits (VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES, vLLM's default); else as 32 bytes. */
  readonly intHashes: boolean;
}

const MEDIUM = "GPU";

/** Encodes batches; one for each publisher. */
export class KvEventEncoder {
  readonly #options: WireOptions;
  readonly #encoder = new Encoder({ useBigInt64: true });

  constructor(options: WireOptions) {
    this.#options = options;
  }

  encode(seconds: number, events: readonly KvEvent[], rank: number): Uint8Array {
    return this.#encoder.encode([
      seconds,
      joinRemovals(events).map((event) => this.#map(event)),
      rank,
    ]);
  }

  #map(event: KvEvent): Readonly<Record<string, unknown>> {
    switch (event.type) {
      case "blocks-stored":
        return {
          type: "BlockStored",
          block_hashes: event.hashes.map((hash) => this.#hash(hash)),
          parent_block_hash: event.parent === undefined ? null : this.#hash(event.parent),
          token_ids: event.tokens,
          block_size: this.#options.blockSize,
          lora_id: event.adapter?.id ?? null,
          medium: MEDIUM,
          lora_name: event.adapter?.name ?? null,
          extra_keys: event.hashes.map((_, index) => extraKeys(event, index)),
          group_idx: 0,
          kv_cache_spec_kind: "full_attention",
        };
      case "blocks-removed":
        return {
          type: "BlockRemoved",
          block_hashes: event.hashes.map((hash) => this.#hash(hash)),
          medium: MEDIUM,
          group_idx: 0,
        };
      case "blocks-cleared":
        return { type: "AllBlocksCleared" };
    }
  }

  #hash(hash: Uint8Array): bigint | Uint8Array {
    if (!this.#options.intHashes) return hash;
    return new DataView(hash.buffer, hash.byteOffset, hash.byteLength).getBigUint64(
      hash.byteLength - 8,
    );
  }
}

/** What beside its tokens went into a block's hash: adapter in each, salt in a sequence's first. */
function extraKeys({ adapter, salt, parent }: BlocksStored, index: number): string[] | null {
  const keys = [
    ...(adapter === undefined ? [] : [adapter.name]),
    ...(salt === undefined || parent !== undefined || index > 0 ? [] : [salt]),
  ];
  return keys.length === 0 ? null : keys;
}

/** Blocks are given up one by one; removals in a row become one event. */
function joinRemovals(events: readonly KvEvent[]): readonly KvEvent[] {
  const joined: KvEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.type === "blocks-removed" && last?.type === "blocks-removed") {
      joined[joined.length - 1] = { ...last, hashes: [...last.hashes, ...event.hashes] };
    } else joined.push(event);
  }
  return joined;
}

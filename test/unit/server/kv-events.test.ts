/** KV events as vLLM publishes them: the configuration's words, and what is in a batch. */
import { decode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import {
  endpointOfRank,
  kvEventSource,
  readKvEventsConfig,
} from "../../../server/kv-events/config.ts";
import { type KvEvent, KvEventEncoder } from "../../../server/kv-events/encode.ts";

describe("--kv-events-config", () => {
  const on = { enable_kv_cache_events: true };

  it("has vLLM's defaults, and is off unless it is on", () => {
    expect(readKvEventsConfig(on)).toEqual({
      ...{ endpoint: "tcp://*:5557", bufferSteps: 10_000, highWaterMark: 100_000 },
      ...{ maxQueueSize: 100_000, topic: "" },
    });
    for (const off of [undefined, {}, { enable_kv_cache_events: false }, { publisher: "zmq" }])
      expect(readKvEventsConfig(off)).toBeUndefined();
    expect(readKvEventsConfig({ ...on, publisher: "null" })).toBeUndefined();
    expect(readKvEventsConfig({ ...on, publisher: "zmq" })).toBeDefined();
  });

  it.each([
    [{ enabled: true }, 'unknown key "enabled"; known: enable_kv_cache_events'],
    [{ enable_kv_cache_events: "yes" }, 'enable_kv_cache_events must be true or false, not "yes"'],
    [{ ...on, publisher: "kafka" }, 'publisher must be "zmq" or "null", not "kafka"'],
    [{ ...on, endpoint: 5557 }, "endpoint must be a text, not 5557"],
    [{ ...on, replay_endpoint: 1 }, "replay_endpoint must be a text"],
    [{ ...on, buffer_steps: -1 }, "buffer_steps must be a whole number, not -1"],
    [{ ...on, hwm: 1.5 }, "hwm must be a whole number, not 1.5"],
    [{ ...on, max_queue_size: "many" }, "max_queue_size must be a whole number"],
  ])("refuses %j by its key", (given, why) => {
    expect(() => readKvEventsConfig(given)).toThrow(why);
  });

  it("gives each rank a port of its own, counted up", () => {
    expect(endpointOfRank("tcp://*:5557", 0)).toBe("tcp://*:5557");
    expect(endpointOfRank("tcp://[::]:5557", 3)).toBe("tcp://[::]:5560");
    expect(endpointOfRank("inproc://kv", 2)).toBe("inproc://kv_dp2");
    expect(endpointOfRank("ipc:///tmp/kv", 0)).toBe("ipc:///tmp/kv");
    expect(() => endpointOfRank("ipc:///tmp/kv", 1)).toThrow("needs a port number");
    const config = readKvEventsConfig({ ...on, replay_endpoint: "tcp://*:6000", topic: "t" });
    if (config === undefined) throw new Error("It is on.");
    expect(kvEventSource(config, 1)).toMatchObject({
      ...{ endpoint: "tcp://*:5558", replay_endpoint: "tcp://*:6001", topic: "t" },
    });
    const plain = readKvEventsConfig(on);
    expect(plain && kvEventSource(plain, 0)).toMatchObject({ replay_endpoint: null });
  });
});

describe("a batch of events", () => {
  const hash = (last: number): Uint8Array => new Uint8Array(32).fill(last, 31);
  const batch = (events: readonly object[], intHashes = true) =>
    decode(new KvEventEncoder({ blockSize: 16, intHashes }).encode(1.5, events as KvEvent[], 2), {
      useBigInt64: true,
    }) as [number, Record<string, unknown>[], number];

  it("tells time and rank, and joins removals that follow each other", () => {
    const [seconds, events, rank] = batch([
      { type: "blocks-removed", hashes: [hash(1)] },
      { type: "blocks-removed", hashes: [hash(2), hash(3)] },
      { type: "blocks-cleared" },
      { type: "blocks-removed", hashes: [hash(4)] },
    ]);
    expect([seconds, rank]).toEqual([1.5, 2]);
    expect(events.map(({ type }) => type)).toEqual([
      "BlockRemoved",
      "AllBlocksCleared",
      "BlockRemoved",
    ]);
    expect(events[0]?.["block_hashes"]).toEqual([1n, 2n, 3n]);
  });

  it("hashes are the last 64 bits, or all 32 bytes", () => {
    const wide = Uint8Array.from({ length: 32 }, (_, at) => at);
    const stored = { type: "blocks-stored", hashes: [wide], parent: hash(9), tokens: [1, 2] };
    const [, [short]] = batch([stored]);
    expect(short?.["block_hashes"]).toEqual([0x18191a1b1c1d1e1fn]);
    expect(short?.["parent_block_hash"]).toBe(9n);
    const [, [whole]] = batch([stored], false);
    expect(whole?.["block_hashes"]).toEqual([wide]);
  });

  it("keys beside the tokens: an adapter in each block, a salt in a sequence's first alone", () => {
    const keys = (more: object) =>
      batch([{ type: "blocks-stored", hashes: [hash(1), hash(2)], tokens: [], ...more }])[1][0]?.[
        "extra_keys"
      ];
    expect(keys({})).toEqual([null, null]);
    expect(keys({ salt: "s" })).toEqual([["s"], null]);
    expect(keys({ salt: "s", parent: hash(3) })).toEqual([null, null]);
    const adapter = { id: 7, name: "a" };
    expect(keys({ adapter, salt: "s" })).toEqual([["a", "s"], ["a"]]);
    const [, [event]] = batch([{ type: "blocks-stored", hashes: [], tokens: [], adapter }]);
    expect(event).toMatchObject({ lora_id: 7, lora_name: "a", parent_block_hash: null });
  });
});

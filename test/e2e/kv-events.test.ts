/** KV events as routers live on them: the set of blocks, vLLM's hashes, the flags. */
import { readFileSync } from "node:fs";
import { decode } from "@msgpack/msgpack";
import { afterEach, describe, expect, it } from "vitest";
import { Subscriber } from "zeromq";
import { BlockHasher, hashBytes } from "../../engine/kv/block-hash.ts";
import { rebuildFromEvents } from "../../scripts/maintain/proofs/kv-events.ts";
import { endpointOfRank, readKvEventsConfig } from "../../server/kv-events/config.ts";
import { KvEventEncoder } from "../../server/kv-events/encode.ts";
import { KvEventPublisher } from "../../server/kv-events/publisher.ts";
import { sha256 } from "../../server/sha256.ts";
import { startServer, type TestServer } from "../support/server.ts";

const HASHER = new BlockHasher(sha256);

interface Vectors {
  readonly root: string;
  readonly cases: readonly {
    readonly name: string;
    readonly blockSize: number;
    readonly tokens: readonly number[];
    readonly adapter?: { readonly name: string; readonly path: string };
    readonly salt?: string;
    readonly hashes: readonly string[];
    readonly ints: readonly string[];
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../scripts/maintain/proofs/block-hashes.json", import.meta.url), "utf8"),
) as Vectors;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("block hashes", () => {
  it("begin at vLLM's root for the seed 0", () => {
    expect(hex(hashBytes(HASHER.root))).toBe(vectors.root);
  });

  it.each(vectors.cases)("are vLLM's sha256_cbor: $name", (of) => {
    const { blockSize, hashes, ints, adapter, salt } = of;
    const tokens = Int32Array.from(of.tokens);
    const keys = {
      ...(adapter && { adapter: { id: 4, folder: "", ...adapter } }),
      ...(salt && { salt }),
    };
    let parent = HASHER.root;
    const found = hashes.map((_, index) => {
      parent = HASHER.hash(parent, tokens, [index * blockSize, (index + 1) * blockSize], keys);
      return hashBytes(parent);
    });
    expect(found.map(hex)).toEqual(hashes);
    const stored = {
      type: "blocks-stored",
      at: 0,
      hashes: found,
      tokens: of.tokens,
      ...keys,
    } as const;
    const [, [event], rank] = decode(
      new KvEventEncoder({ blockSize, intHashes: true }).encode(1.5, [stored], 3),
      { useBigInt64: true },
    ) as [number, Record<string, unknown>[], number];
    expect(rank).toBe(3);
    expect(event).toEqual({
      type: "BlockStored",
      block_hashes: ints.map(BigInt),
      parent_block_hash: null,
      token_ids: of.tokens,
      block_size: blockSize,
      lora_id: adapter ? 4 : null,
      medium: "GPU",
      lora_name: adapter?.name ?? null,
      extra_keys: hashes.map((_, index) => {
        const extra = [...(adapter ? [adapter.name] : []), ...(salt && index === 0 ? [salt] : [])];
        return extra.length > 0 ? extra : null;
      }),
      group_idx: 0,
      kv_cache_spec_kind: "full_attention",
    });
  });
});

describe("a subscriber", () => {
  it("rebuilds the exact set of blocks, late and with losses", async () => {
    const result = await rebuildFromEvents(500, 3);
    expect(result.view.complaints).toEqual([]);
    expect(result.equal).toBe(true);
    expect(result.truth.size).toBeGreaterThan(100);
    expect(result.removed).toBeGreaterThan(1000);
    expect(result.cleared).toBeGreaterThan(0);
    expect(result.view.replayed).toBeGreaterThan(20);
  });

  it("may be the one that listens: an address without a wildcard is connected to", async () => {
    const router = new Subscriber();
    await router.bind("tcp://127.0.0.1:*");
    router.subscribe("");
    const config = readKvEventsConfig({
      enable_kv_cache_events: true,
      endpoint: router.lastEndpoint ?? "",
    });
    if (config === undefined) throw new Error("nothing would be published");
    const publisher = await KvEventPublisher.open({ config, rank: 0 });
    const heard = router.receive();
    let number: Buffer | undefined;
    for (let index = 0; number === undefined; index++) {
      publisher.publish(Uint8Array.of(index & 255));
      number = await Promise.race([
        heard.then((frames) => frames[1]),
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20)),
      ]);
    }
    expect(number).toHaveLength(8);
    await publisher.close();
    router.close();
  });
});

describe("--kv-events-config", () => {
  it("has vLLM's defaults and is off unless enabled", () => {
    expect(readKvEventsConfig({ enable_kv_cache_events: true })).toEqual({
      endpoint: "tcp://*:5557",
      bufferSteps: 10_000,
      highWaterMark: 100_000,
      maxQueueSize: 100_000,
      topic: "",
    });
    expect(readKvEventsConfig(undefined)).toBeUndefined();
    expect(readKvEventsConfig({ publisher: "zmq" })).toBeUndefined();
    expect(readKvEventsConfig({ enable_kv_cache_events: true, publisher: "null" })).toBeUndefined();
  });

  it("names the key that is wrong", () => {
    const wrong = (json: Record<string, unknown>) => () => readKvEventsConfig(json);
    expect(wrong({ enabled: true })).toThrow('unknown key "enabled"');
    expect(wrong({ enable_kv_cache_events: 1 })).toThrow("enable_kv_cache_events must be");
    expect(wrong({ publisher: "kafka" })).toThrow('publisher must be "zmq" or "null"');
    expect(wrong({ buffer_steps: -1 })).toThrow("buffer_steps must be a whole number");
    expect(wrong({ endpoint: 5557 })).toThrow("endpoint must be a text");
  });

  it("gives each data-parallel rank the next port", () => {
    expect(endpointOfRank("tcp://*:5557", 0)).toBe("tcp://*:5557");
    expect(endpointOfRank("tcp://*:5557", 3)).toBe("tcp://*:5560");
    expect(endpointOfRank("inproc://cache", 1)).toBe("inproc://cache_dp1");
    expect(() => endpointOfRank("ipc:///run/kv", 1)).toThrow("needs a port number");
  });

  it("fails the start in one line when an endpoint cannot be had", async () => {
    const start = startServer([
      "models/tiny/llama",
      "--device",
      "null",
      "--kv-events-config",
      '{"enable_kv_cache_events": true, "endpoint": "tcp://*:notaport"}',
    ]);
    await expect(start).rejects.toThrow(
      /^--kv-events-config: endpoint "tcp:\/\/\*:notaport" cannot/,
    );
  });
});

describe("POST /reset_prefix_cache", () => {
  let server: TestServer | undefined;
  afterEach(() => server?.stop(0));

  it("empties the cache in development mode, and is not there otherwise", async () => {
    const plain = ["models/tiny/llama", "--device", "null", "--block-size", "4"];
    server = await startServer(plain);
    expect((await server.post("/reset_prefix_cache", {})).status).toBe(404);
    await server.stop(0);
    server = await startServer([...plain, "--server-dev-mode", "--enable-prompt-tokens-details"]);
    const body = { prompt: Array.from({ length: 33 }, (_, i) => i + 1), max_tokens: 1 };
    const cached = async (): Promise<number> =>
      (await server?.post("/v1/completions", body))?.json.usage.prompt_tokens_details
        ?.cached_tokens;
    expect(await cached()).toBeFalsy();
    expect(await cached()).toBe(32);
    const reset = await server.post("/reset_prefix_cache?reset_running_requests=true", {});
    expect(reset).toMatchObject({ status: 200, json: { success: true } });
    expect(await cached()).toBeFalsy();
  });
});

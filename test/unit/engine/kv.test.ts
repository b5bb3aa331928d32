/** Blocks: the pool's books, vLLM's hashes, and what a router hears. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EngineEvent } from "../../../engine/events.ts";
import { BlockHasher, hashBytes } from "../../../engine/kv/block-hash.ts";
import { BlockPool } from "../../../engine/kv/block-pool.ts";
import type { Holder } from "../../../engine/kv/holder.ts";
import { PrefixCache } from "../../../engine/kv/prefix-cache.ts";
import { sha256 } from "../../../server/sha256.ts";
import { engineWorld, request } from "../../support/engine-world.ts";

const HASHER = new BlockHasher(sha256);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function chain(tokens: readonly number[], size: number, keys = {}): string[] {
  const ids = Int32Array.from(tokens);
  const hashes: string[] = [];
  for (let begin = 0; begin + size <= ids.length; begin += size) {
    hashes.push(
      HASHER.hash(hashes[hashes.length - 1] ?? HASHER.root, ids, [begin, begin + size], keys),
    );
  }
  return hashes.map((hash) => hex(hashBytes(hash)));
}

const range = (begin: number, end: number): number[] =>
  Array.from({ length: end - begin }, (_, i) => begin + i);

describe("block hash", () => {
  // Made with Python's cbor2 (canonical) and hashlib, as vLLM computes them.
  it("is vLLM's sha256_cbor", () => {
    expect(hex(hashBytes(HASHER.root))).toBe(
      "4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e",
    );
    expect(chain([0, 23, 24, 255, 256, 65_535, 65_536, 151_935], 4)).toEqual([
      "ca90027d467f8ae0c02e71aa4eff29f116d1b74ca16446a60ab640f53e976f43",
      "a00e16765098cf2d30bf90a61b546e19e72b1ad35d37a6a03d5c490dfe6ca1a2",
    ]);
    expect(chain(range(1000, 1032), 16)).toEqual([
      "749fdc796f99efd836e0126282116392f5a5e4ea5c7ed009f2f58c385525a1f5",
      "2d5697df551c58c422455b94c9c0db1ddfc2a375c20b0014c82e2a1e69c1d12a",
    ]);
  });

  it("takes the salt in the first block and the adapter in all", () => {
    expect(chain(range(1000, 1032), 16, { salt: "tenant-ü" })).toEqual([
      "5a37637a35bc95e2c3ad501d5233956b2a4204f8369150433c46ee8f33d349e1",
      "48d0883e919be49a980e281a136bf531d1e6c0d6b450a5fb8416d8ebbf4b8e51",
    ]);
    const adapter = { id: 1, name: "sql-lora", path: "/adapters/sql", folder: "" };
    expect(chain(range(0, 8), 4, { adapter, salt: "s" })).toEqual([
      "2d16d62a1c2788174abb27d5a027d597f70b7fba42b778feee8be9f12614767b",
      "60936d1d64849074ee2efb961c6eedb5a00b0350ca99921948e2491f0a6d8c17",
    ]);
  });

  it("grows its buffer for large blocks", () => {
    expect(chain(range(70_000, 70_512), 512)).toHaveLength(1);
  });
});

describe("block pool", () => {
  it("keeps its books through any acts", () => {
    const act = fc.oneof(
      fc.record({ type: fc.constant("take" as const), count: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ type: fc.constant("release" as const), which: fc.nat(20) }),
      fc.record({ type: fc.constant("publish" as const), which: fc.nat(20), name: fc.nat(12) }),
      fc.record({ type: fc.constant("find" as const), name: fc.nat(12) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const pool = new BlockPool(10);
        const held: number[][] = [];
        for (const each of acts) {
          if (each.type === "take") {
            const blocks: number[] = [];
            const free = pool.free;
            expect(pool.take(each.count, blocks)).toBe(each.count <= free);
            expect(blocks).toHaveLength(each.count <= free ? each.count : 0);
            if (blocks.length > 0) held.push(blocks);
          } else if (each.type === "release" && held.length > 0) {
            pool.release(held.splice(each.which % held.length, 1)[0] ?? []);
          } else if (each.type === "publish" && held.length > 0) {
            const block = held[each.which % held.length]?.[0] ?? 0;
            pool.publish(block, String(each.name));
          } else if (each.type === "find") {
            const block = pool.find(String(each.name));
            if (block === undefined) continue;
            pool.retain(block);
            held.push([block]);
          }
          pool.check();
        }
        for (const blocks of held) pool.release(blocks);
        pool.check();
        expect(pool.free).toBe(10);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it("evicts what was released first, of one sequence its tail", () => {
    const evicted: string[] = [];
    const pool = new BlockPool(4, (name) => evicted.push(String(name)));
    const blocks: number[] = [];
    pool.take(4, blocks);
    blocks.slice(0, 3).forEach((block, index) => {
      pool.publish(block, `h${index}`);
    });
    pool.release(blocks);
    pool.take(1, []);
    expect(evicted).toEqual([]); // the blank one first
    pool.take(2, []);
    expect(evicted).toEqual(["h2", "h1"]);
    expect(pool.find("h0")).toBe(blocks[0]);
  });

  it("refuses to release what nobody holds", () => {
    const pool = new BlockPool(2);
    const blocks: number[] = [];
    pool.take(1, blocks);
    pool.release(blocks);
    expect(() => pool.release(blocks)).toThrow(/more often/);
  });
});

/** What a router knows after an event. */
function hear(event: EngineEvent, known: Set<string>): void {
  if (event.type === "blocks-cleared") known.clear();
  if (event.type === "blocks-removed") for (const hash of event.hashes) known.delete(hex(hash));
  if (event.type === "blocks-stored") for (const hash of event.hashes) known.add(hex(hash));
}

describe("prefix cache", () => {
  it("finds a prompt again, but never its last token", () => {
    const { clock, engine, events } = engineWorld();
    const cached: number[] = [];
    engine.subscribe((event) => {
      if (event.type === "request-scheduled") cached.push(event.cachedTokens);
    });
    for (const prompt of [range(0, 16), range(0, 16), range(0, 17), [9, ...range(1, 16)]]) {
      engine.submit(request(prompt, { temperature: 0, maxTokens: 1 }));
      clock.runReady();
    }
    expect(cached).toEqual([0, 12, 16, 0]);
    expect(events.filter((event) => event.type === "blocks-stored")).toEqual([]); // off
  });

  it("keeps tenants apart by salt, and forgets on demand", () => {
    const { clock, engine, events } = engineWorld({ options: { kvEvents: true } });
    const cachedOf = (salt: string): number => {
      engine.submit(request(range(0, 16), { temperature: 0, maxTokens: 1 }, { salt }));
      expect(engine.resetPrefixCache()).toBe(true); // nothing is held before the first step
      engine.submit(request(range(0, 16), { temperature: 0, maxTokens: 1 }, { salt }));
      clock.runReady();
      const scheduled = events.filter((event) => event.type === "request-scheduled");
      return scheduled[scheduled.length - 1]?.cachedTokens ?? -1;
    };
    expect(cachedOf("a")).toBe(0); // two in one step: published only after it
    engine.submit(request(range(0, 16), { temperature: 0, maxTokens: 1 }, { salt: "a" }));
    engine.submit(request(range(0, 16), { temperature: 0, maxTokens: 1 }, { salt: "b" }));
    clock.runReady();
    const scheduled = events.filter((event) => event.type === "request-scheduled");
    expect(scheduled.slice(-2).map((event) => event.cachedTokens)).toEqual([12, 0]);
    expect(engine.resetPrefixCache()).toBe(true);
    const known = new Set<string>();
    for (const event of events) hear(event, known);
    expect(known.size).toBe(0);
  });

  it("remembers what it found of those that wait, and is never wrong about it", () => {
    const SIZE = 2;
    const holder = (tokens: readonly number[]): Holder => ({
      id: 0,
      tokens: Int32Array.from(tokens),
      promptLength: tokens.length,
      known: tokens.length,
      length: tokens.length,
      received: 0,
      computesAll: false,
      unread: false,
      computed: 0,
      blocks: [],
      hashes: [],
      published: 0,
      match: undefined,
    });
    // Few prompts, so that one is what another published; long ones, so that tails are taken first.
    const tokens = fc
      .tuple(fc.nat(2), fc.integer({ min: 1, max: 14 }))
      .map(([stem, length]) => range(stem, stem + length));
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constant("compute" as const), tokens }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant("hold" as const), which: fc.nat(9) }) },
      { weight: 6, arbitrary: fc.record({ type: fc.constant("end" as const), which: fc.nat(9) }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant("look" as const), which: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const) }) },
    );
    const met = { found: 0, lost: 0 };
    fc.assert(
      fc.property(
        fc.array(tokens, { minLength: 1, maxLength: 4 }),
        fc.array(act, { minLength: 30, maxLength: 60 }),
        (prompts, acts) => {
          const cache = new PrefixCache({ blocks: 12, blockSize: SIZE, enabled: true, sha256 });
          const waiting = prompts.map(holder);
          const held: number[][] = [];
          for (const each of acts) {
            if (each.type === "compute") {
              const one = holder(each.tokens);
              if (!cache.pool.take(Math.ceil(one.length / SIZE), one.blocks)) continue;
              cache.publish(one, one.length);
              held.push(one.blocks);
            } else if (each.type === "hold") {
              const found = cache.match(holder(prompts[each.which % prompts.length] ?? []));
              for (const block of found?.blocks ?? []) cache.pool.retain(block);
              held.push([...(found?.blocks ?? [])]);
            } else if (each.type === "end" && held.length > 0) {
              cache.pool.release(held.splice(each.which % held.length, 1)[0] ?? []);
            } else if (each.type === "clear") {
              cache.clear();
            }
            const one = waiting[("which" in each ? each.which : 0) % waiting.length];
            if (one === undefined) continue;
            const before = one.match?.blocks.length ?? 0;
            const remembered = cache.match(one);
            const fresh = cache.match(holder([...one.tokens]));
            expect(remembered?.blocks).toEqual(fresh?.blocks);
            expect(remembered?.unheld).toBe(fresh?.unheld);
            if ((fresh?.blocks.length ?? 0) < before) met.lost++;
            if ((fresh?.blocks.length ?? 0) > 0) met.found++;
          }
        },
      ),
      { numRuns: 60, seed: 3 },
    );
    expect(met.found).toBeGreaterThan(200);
    expect(met.lost).toBeGreaterThan(50);
  });

  it("walks a prompt again when more was lost than is remembered", () => {
    const pool = new BlockPool(3000);
    const blocks: number[] = [];
    pool.take(3000, blocks);
    for (const block of blocks) pool.publish(block, String(block));
    const since = pool.forgotten;
    pool.release(blocks);
    pool.take(1024, []);
    expect(pool.forgottenSince(since)).toHaveLength(1024);
    pool.take(1, []);
    expect(pool.forgottenSince(since)).toBeUndefined();
    expect(pool.forgottenSince(pool.forgotten)).toEqual([]);
    const before = pool.forgotten;
    pool.clear();
    expect(pool.forgottenSince(before)).toBeUndefined();
  });

  it("does not reset while blocks are held", () => {
    const { clock, engine } = engineWorld();
    engine.submit(request(range(0, 16), { maxTokens: 4 }));
    clock.runReady(1);
    expect(engine.resetPrefixCache()).toBe(false);
    clock.runReady();
    expect(engine.resetPrefixCache()).toBe(true);
  });

  it("tells a router exactly what is cached, over 1,000 random requests", () => {
    const { clock, engine } = engineWorld({ limits: { blocks: 120 }, options: { kvEvents: true } });
    const known = new Set<string>();
    let cached = -1;
    engine.subscribe((event) => {
      hear(event, known);
      if (event.type === "request-scheduled") cached = event.cachedTokens;
    });
    let state = 9;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const prompts = Array.from({ length: 1000 }, (_, index) => {
      const stem = random(6);
      const prompt = [...range(0, random(24)).map((at) => (at * (stem + 1)) % 97), random(97)];
      const params = { temperature: 0, maxTokens: 1 + random(12) };
      clock.at(index * 400, () => engine.submit(request(prompt, params)));
      return prompt;
    });
    clock.runReady();
    expect(known.size).toBeGreaterThan(20);
    // Ask the cache itself: a prompt is found exactly as far as the router knows its blocks.
    let hits = 0;
    for (const prompt of prompts.slice(-150)) {
      let expected = 0;
      for (const hash of chain(prompt.slice(0, -1), 4)) {
        if (!known.has(hash)) break;
        expected += 4;
      }
      engine.submit(request(prompt, { temperature: 0, maxTokens: 1 }));
      clock.runReady();
      expect(cached).toBe(expected);
      if (expected > 0) hits++;
    }
    expect(hits).toBeGreaterThan(25);
  });
});

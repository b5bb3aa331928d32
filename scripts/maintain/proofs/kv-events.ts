/**
 * A router's view of the cache: a ZeroMQ subscriber that knows nothing but the
 * messages rebuilds the set of cached blocks while requests of all kinds come
 * and go. It joins late and loses messages on purpose; replay fills the gaps.
 */

import { setImmediate as turn } from "node:timers/promises";
import { decode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { publishKvEvents } from "../../../server/kv-events/feed.ts";
import { sha256 } from "../../../server/sha256.ts";
import type { Proof } from "./proof.ts";
import { seeded } from "./proof.ts";

const BLOCK = 16;
const VOCABULARY = 32_000;
/** Every so many messages the subscriber throws one away. */
const LOSES_EVERY = 97;

interface WireEvent {
  readonly type: string;
  readonly block_hashes?: readonly bigint[];
  readonly parent_block_hash?: bigint | null;
  readonly token_ids?: readonly number[];
  readonly block_size?: number;
}

/** Knows the wire format and nothing of the server. */
export class RouterView {
  readonly cached = new Set<bigint>();
  messages = 0;
  replayed = 0;
  /** Things a router could not make sense of. */
  readonly complaints: string[] = [];
  #next = 0n;

  /** False: messages before this one are missing. */
  take(number: bigint, payload: Uint8Array): boolean {
    if (number < this.#next) return true;
    if (number > this.#next) return false;
    this.#next++;
    this.messages++;
    const [, events] = decode(payload, { useBigInt64: true }) as [number, readonly WireEvent[]];
    for (const event of events) this.#apply(event);
    return true;
  }

  /** Asks for what is missing, and for all that was published since. */
  async catchUp(endpoint: string): Promise<void> {
    const dealer = new Dealer({ linger: 0 });
    dealer.connect(endpoint);
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(this.#next);
    await dealer.send(["", start]);
    for await (const [, number, payload] of dealer) {
      if (number === undefined || payload === undefined || number.readBigInt64BE() === -1n) break;
      this.replayed++;
      if (!this.take(number.readBigUInt64BE(), payload)) this.complaints.push("replay has a gap");
    }
    dealer.close();
  }

  #apply(event: WireEvent): void {
    const hashes = event.block_hashes ?? [];
    switch (event.type) {
      case "BlockStored": {
        const parent = event.parent_block_hash;
        if (parent === undefined) this.complaints.push("a stored block without a parent field");
        if (event.token_ids?.length !== hashes.length * (event.block_size ?? 0)) {
          this.complaints.push("tokens do not fill the stored blocks");
        }
        for (const hash of hashes) this.cached.add(hash);
        return;
      }
      case "BlockRemoved":
        for (const hash of hashes) {
          if (!this.cached.delete(hash)) this.complaints.push("an unknown block was removed");
        }
        return;
      case "AllBlocksCleared":
        this.cached.clear();
        return;
      default:
        this.complaints.push(`unknown type ${event.type}`);
    }
  }
}

export interface RebuildResult {
  readonly view: RouterView;
  /** Last 64 bits of the hashes that the engine can find. */
  readonly truth: ReadonlySet<bigint>;
  readonly preemptions: number;
  readonly removed: number;
  readonly cleared: number;
  readonly equal: boolean;
}

/** An engine whose pool is too small for its load, so that blocks come and go. */
function smallEngine(): { readonly engine: Engine; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  const sampler = new TokenSampler();
  const limits = {
    blockSize: BLOCK,
    blocks: 300,
    maxRows: 32,
    maxTokens: 512,
    maxContext: 1024,
    maxDrafted: 0,
    inFlight: 2,
  } as const;
  const device = new NullDevice({
    clock,
    sampler,
    limits,
    vocabSize: VOCABULARY,
    values: "ids",
    price: (batch) => 1000 + batch.rows.length,
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: 32, maxNumBatchedTokens: 512, kvEvents: true },
  );
  return { engine, clock };
}

/** Runs `count` random requests through an engine that publishes on free ports. */
export async function rebuildFromEvents(count: number, seed = 1): Promise<RebuildResult> {
  const { engine, clock } = smallEngine();
  const feed = await publishKvEvents([{ rank: 0, engine }], {
    blockSize: BLOCK,
    intHashes: true,
    config: {
      endpoint: "tcp://127.0.0.1:*",
      replayEndpoint: "tcp://127.0.0.1:*",
      bufferSteps: 1_000_000,
      highWaterMark: 1_000_000,
      maxQueueSize: 1_000_000,
      topic: "kv@proof@null",
    },
  });
  const seen = { preemptions: 0, removed: 0, cleared: 0 };
  engine.subscribe((event) => {
    if (event.type === "request-preempted") seen.preemptions++;
    if (event.type === "blocks-removed") seen.removed++;
    if (event.type === "blocks-cleared") seen.cleared++;
  });
  submitRandomly(engine, clock, count, seed);
  const [publisher] = feed.publishers;
  if (publisher?.replayEndpoint === undefined) throw new Error("There is no replay socket.");
  const view = new RouterView();
  const subscriber = new Subscriber({ receiveHighWaterMark: 0, linger: 0 });
  let listening: Promise<void> | undefined;
  for (let until = 0; engine.running + engine.waiting > 0 || clock.next() !== undefined; ) {
    clock.runReady(until);
    until += 2000;
    await turn();
    // It joins when a tenth of the story is over.
    if (listening === undefined && view.messages === 0 && until > count * 100) {
      subscriber.connect(publisher.endpoint);
      subscriber.subscribe("kv@proof@");
      listening = listen(subscriber, view, publisher.replayEndpoint);
    }
  }
  await engine.idle();
  await turn();
  await view.catchUp(publisher.replayEndpoint);
  subscriber.close();
  await listening;
  const truth = new Set(
    engine.cachedBlocks().map((hash) => Buffer.from(hash).readBigUInt64BE(hash.length - 8)),
  );
  await feed.close();
  await engine.close();
  const equal =
    truth.size === view.cached.size && [...truth].every((hash) => view.cached.has(hash));
  return { view, truth, ...seen, equal };
}

async function listen(subscriber: Subscriber, view: RouterView, replay: string): Promise<void> {
  let heard = 0;
  try {
    for await (const [, number, payload] of subscriber) {
      if (number === undefined || payload === undefined) continue;
      if (++heard % LOSES_EVERY === 0) continue; // lost
      if (!view.take(number.readBigUInt64BE(), payload)) await view.catchUp(replay);
    }
  } catch (error) {
    if (!subscriber.closed) throw error;
  }
}

/** Arrivals over time: shared prefixes, tenants, several completions, leavers, resets. */
function submitRandomly(engine: Engine, clock: VirtualClock, count: number, seed: number): void {
  const random = seeded(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let index = 0; index < count; index++) {
    const stem = below(12);
    const prompt = Int32Array.from({ length: 1 + below(300) }, (_, at) =>
      at < 160 ? (stem * 7919 + at * 31) % VOCABULARY : below(VOCABULARY),
    );
    const params = { ...DEFAULT_SAMPLING, maxTokens: 1 + below(60), ignoreEos: true };
    const rest = {
      n: random() < 0.1 ? 3 : 1,
      ...(random() < 0.2 && { salt: `tenant-${below(3)}` }),
    };
    const leaves = random() < 0.15 ? below(200_000) : undefined;
    const at = index * 1000;
    clock.at(at, () => {
      const ids = engine.submit({ prompt, params, ...rest });
      if (leaves === undefined) return;
      clock.at(at + leaves, () => {
        for (const id of ids) engine.finish(id, "abort");
      });
    });
    if (index % 400 === 200) clock.at(at, () => engine.resetPrefixCache({ preempt: true }));
  }
}

const REQUESTS = 5000;

export const prove: Proof = async (report) => {
  const begun = performance.now();
  const { view, truth, equal, preemptions, removed, cleared } = await rebuildFromEvents(REQUESTS);
  report.line(
    `${REQUESTS} random requests: ${view.messages} messages (${view.replayed} by replay), ` +
      `${removed} blocks given up, ${preemptions} preemptions, ${cleared} resets, ` +
      `${((performance.now() - begun) / 1000).toFixed(1)} s`,
  );
  for (const complaint of new Set(view.complaints))
    report.line(`  the router complains: ${complaint}`);
  report.claim(
    "a subscriber's set of blocks is the engine's",
    equal && view.complaints.length === 0,
    `${view.cached.size} and ${truth.size} blocks, ${view.complaints.length} complaints`,
  );
};

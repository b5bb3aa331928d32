/**
 * KV-cache events over ZeroMQ, as vLLM publishes them (vllm/distributed/kv_events.py)
 * and routers read them: PUB frames [topic, sequence number (8 bytes, big-endian),
 * MessagePack of [time, [event, …], data-parallel rank]], one message a step; and
 * past ones again over a ROUTER socket. A slow subscriber loses messages (the
 * sequence number tells), the engine waits for nobody.
 */
import { encode } from "@msgpack/msgpack";
import type { Publisher, Router } from "zeromq";
import type { Engine } from "../engine/engine.ts";
import type { BlocksRemoved, BlocksStored, EngineEvent } from "../engine/events.ts";
import { SettingsError } from "./config.ts";
import type { JsonObject } from "./settings/row.ts";

interface KvEventsConfig {
  readonly endpoint: string;
  readonly replayEndpoint?: string;
  readonly topic: string;
  /** Messages kept for replay. */
  readonly bufferSteps: number;
  /** Messages ZeroMQ keeps for a slow subscriber. */
  readonly highWaterMark: number;
}

export interface KvEventsPublisher {
  close(): Promise<void>;
}

/** Ends a replay: −1 in 8 bytes. */
const END_OF_REPLAY = Buffer.alloc(8, 0xff);

/** Undefined: `--kv-events-config` does not ask for it. Throws SettingsError. */
export async function publishKvEvents(
  engines: readonly Engine[],
  blockSize: number,
  given: JsonObject | undefined,
): Promise<KvEventsPublisher | undefined> {
  const config = given && readConfig(given);
  if (config === undefined) return undefined;
  const zeromq = await loadZeromq();
  const publishers: EnginePublisher[] = [];
  try {
    for (const [rank, engine] of engines.entries()) {
      const socket = new zeromq.Publisher({ sendHighWaterMark: config.highWaterMark });
      const publisher = new EnginePublisher(engine, { config, blockSize, rank, socket });
      publishers.push(publisher);
      await socket.bind(ofRank(config.endpoint, rank));
      if (config.replayEndpoint !== undefined) {
        const router = new zeromq.Router();
        await router.bind(ofRank(config.replayEndpoint, rank));
        publisher.replay(router);
      }
    }
  } catch (error) {
    for (const publisher of publishers) publisher.close();
    throw new SettingsError(`--kv-events-config: ${String((error as Error).message)}`); // zeromq throws Errors
  }
  return {
    close: async () => {
      for (const publisher of publishers) publisher.close();
    },
  };
}

class EnginePublisher {
  readonly #config: KvEventsConfig;
  readonly #blockSize: number;
  readonly #rank: number;
  readonly #socket: Publisher;
  readonly #unsubscribe: () => void;
  readonly #kept: { readonly sequence: number; readonly payload: Uint8Array }[] = [];
  #router: Router | undefined;
  #events: object[] = [];
  #sequence = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(
    engine: Engine,
    parts: {
      readonly config: KvEventsConfig;
      readonly blockSize: number;
      readonly rank: number;
      readonly socket: Publisher;
    },
  ) {
    this.#config = parts.config;
    this.#blockSize = parts.blockSize;
    this.#rank = parts.rank;
    this.#socket = parts.socket;
    this.#unsubscribe = engine.subscribe((event) => this.#receive(event));
  }

  replay(router: Router): void {
    this.#router = router;
    void this.#answer(router);
  }

  close(): void {
    this.#unsubscribe();
    this.#socket.close();
    this.#router?.close();
  }

  #receive(event: EngineEvent): void {
    if (event.type === "blocks-stored") this.#events.push(stored(event, this.#blockSize));
    else if (event.type === "blocks-removed") this.#events.push(removed(event));
    else if (event.type === "blocks-cleared") {
      this.#events.push({ type: "AllBlocksCleared" });
      this.#publish();
    } else if (event.type === "step-finished" && this.#events.length > 0) this.#publish();
  }

  #publish(): void {
    const payload = encode([Date.now() / 1000, this.#events, this.#rank], { useBigInt64: true });
    this.#events = [];
    const sequence = this.#sequence++;
    this.#kept.push({ sequence, payload });
    if (this.#kept.length > this.#config.bufferSteps) this.#kept.shift();
    const frames = [this.#config.topic, bigEndian(sequence), payload];
    // One send at a time; a closed socket ends the chain.
    this.#sending = this.#sending.then(() => this.#socket.send(frames)).catch(() => {});
  }

  /** A request is [client, "", first sequence number]. */
  async #answer(router: Router): Promise<void> {
    try {
      for await (const [client, , start] of router) {
        if (client === undefined || start === undefined || start.length !== 8) continue;
        const from = Number(start.readBigUInt64BE());
        for (const { sequence, payload } of [...this.#kept]) {
          if (sequence >= from) await router.send([client, "", bigEndian(sequence), payload]);
        }
        await router.send([client, "", END_OF_REPLAY, ""]);
      }
    } catch {
      // The socket was closed, or the client is gone: nobody is left to answer.
    }
  }
}

function stored(event: BlocksStored, blockSize: number): object {
  return {
    type: "BlockStored",
    block_hashes: event.hashes.map(lower64),
    parent_block_hash: event.parent === undefined ? null : lower64(event.parent),
    token_ids: [...event.tokens],
    block_size: blockSize,
    lora_id: null,
    medium: "GPU",
    lora_name: null,
    extra_keys: event.salt === undefined ? null : event.hashes.map(() => [event.salt]),
    group_idx: 0,
  };
}

function removed(event: BlocksRemoved): object {
  return { type: "BlockRemoved", block_hashes: event.hashes.map(lower64), medium: "GPU" };
}

/** As vLLM by default: the hash's lower 64 bits as an integer. */
function lower64(hash: Uint8Array): bigint {
  return Buffer.from(hash).readBigUInt64BE(hash.length - 8);
}

function bigEndian(sequence: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

/** vLLM gives each data-parallel rank the next port. */
function ofRank(endpoint: string, rank: number): string {
  return rank === 0
    ? endpoint
    : endpoint.replace(/:(\d+)$/, (_, port: string) => `:${Number(port) + rank}`);
}

function readConfig(given: JsonObject): KvEventsConfig | undefined {
  if (given["enable_kv_cache_events"] !== true) return undefined;
  const publisher = given["publisher"] ?? "zmq";
  if (publisher === "null") return undefined;
  if (publisher !== "zmq") {
    throw new SettingsError('--kv-events-config: publisher must be "zmq" or "null".');
  }
  const replay = given["replay_endpoint"];
  return {
    endpoint: String(given["endpoint"] ?? "tcp://*:5557"),
    ...(typeof replay === "string" && { replayEndpoint: replay }),
    topic: String(given["topic"] ?? ""),
    bufferSteps: Number(given["buffer_steps"] ?? 10_000),
    highWaterMark: Number(given["hwm"] ?? 100_000),
  };
}

async function loadZeromq() {
  try {
    return await import("zeromq");
  } catch (cause) {
    throw new SettingsError(
      `--kv-events-config: zeromq does not run on this machine: ${String(cause)}`,
    );
  }
}

/**
 * Batches over ZeroMQ as vLLM sends them, three frames:
 *
 *     [topic, number (u64, big endian), payload]
 *
 * A subscriber that missed a number asks the replay socket (REQ or DEALER to our
 * ROUTER) with the first number it wants; it gets `[number, payload]` for each
 * batch still kept, then `[-1, empty]`.
 *
 * zeromq is a native package: it is loaded when events are asked for, not before.
 */
import type { Publisher, Router } from "zeromq";
import { endpointOfRank, type KvEventsConfig } from "./config.ts";

interface Message {
  readonly number: Buffer;
  readonly payload: Uint8Array;
}

const END = Buffer.alloc(8, 0xff); // −1
const NOTHING = Buffer.alloc(0);

export interface PublisherOptions {
  readonly config: KvEventsConfig;
  /** Data-parallel rank. */
  readonly rank: number;
  /** Told of what cannot be thrown to anybody: a send that failed, a replay request that is none. */
  readonly warn?: (message: string) => void;
}

export class KvEventPublisher {
  /** As bound: wildcards resolved. */
  readonly endpoint: string;
  readonly replayEndpoint: string | undefined;
  readonly #config: KvEventsConfig;
  readonly #topic: Buffer;
  readonly #socket: Publisher;
  readonly #replay: Router | undefined;
  readonly #warn: (message: string) => void;
  /** Ring of the last batches: number n stands at n mod bufferSteps. */
  readonly #kept: Message[] = [];
  #queue: Message[] = [];
  #next = 0;
  #dropped = 0;
  #sending: Promise<void> | undefined;

  private constructor(
    { config, warn }: PublisherOptions,
    sockets: { readonly socket: Publisher; readonly replay: Router | undefined },
  ) {
    this.#config = config;
    this.#topic = Buffer.from(config.topic);
    this.#warn = warn ?? (() => {});
    this.#socket = sockets.socket;
    this.#replay = sockets.replay;
    this.endpoint = sockets.socket.lastEndpoint ?? config.endpoint;
    this.replayEndpoint = sockets.replay?.lastEndpoint ?? undefined;
    if (sockets.replay !== undefined) void this.#answer(sockets.replay);
  }

  /** Rejects, naming the key, when zeromq cannot be loaded or an endpoint cannot be had. */
  static async open(options: PublisherOptions): Promise<KvEventPublisher> {
    const { config, rank } = options;
    const zeromq = await load();
    const socket = new zeromq.Publisher({ sendHighWaterMark: config.highWaterMark, linger: 0 });
    let replay: Router | undefined;
    try {
      const endpoint = endpointOfRank(config.endpoint, rank);
      if (isBound(endpoint)) await named("endpoint", endpoint, () => socket.bind(endpoint));
      else await named("endpoint", endpoint, async () => socket.connect(endpoint));
      if (config.replayEndpoint !== undefined) {
        const address = endpointOfRank(config.replayEndpoint, rank);
        const router = new zeromq.Router({ linger: 0 });
        replay = router;
        await named("replay_endpoint", address, () => router.bind(address));
      }
      return new KvEventPublisher(options, { socket, replay });
    } catch (error) {
      socket.close();
      replay?.close();
      throw error;
    }
  }

  /** Batches that found the queue full. They can still be replayed. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Numbers a payload and sends it behind those before it. */
  publish(payload: Uint8Array): void {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(this.#next));
    const message = { number, payload };
    const { bufferSteps, maxQueueSize } = this.#config;
    if (bufferSteps > 0) this.#kept[this.#next % bufferSteps] = message;
    this.#next++;
    if (this.#queue.length >= maxQueueSize) {
      if (this.#dropped++ === 0) {
        this.#warn("KV events are made faster than sent: some are dropped.");
      }
      return;
    }
    this.#queue.push(message);
    this.#sending ??= this.#send();
  }

  /** Sends what waits, for a second at most, and closes the sockets. */
  async close(): Promise<void> {
    const second = new Promise<void>((resolve) => {
      setTimeout(resolve, 1000).unref();
    });
    if (this.#sending !== undefined) await Promise.race([this.#sending, second]);
    this.#queue = [];
    this.#socket.close();
    this.#replay?.close();
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      const queue = this.#queue;
      this.#queue = [];
      for (const { number, payload } of queue) {
        try {
          await this.#socket.send([this.#topic, number, payload]);
        } catch (error) {
          if (this.#socket.closed) return;
          this.#warn(`A batch of KV events could not be sent: ${String(error)}`);
        }
      }
    }
    this.#sending = undefined;
  }

  /** One request after the other, until the socket is closed. */
  async #answer(replay: Router): Promise<void> {
    try {
      for await (const frames of replay) {
        const [client, delimiter, start] = frames;
        if (frames.length !== 3 || client === undefined || start?.length !== 8) {
          this.#warn(`A replay request of ${frames.length} frames is not understood.`);
          continue;
        }
        const envelope = [client, delimiter ?? NOTHING];
        for (const { number, payload } of this.#since(start.readBigUInt64BE())) {
          await replay.send([...envelope, number, payload]);
        }
        await replay.send([...envelope, END, NOTHING]);
      }
    } catch (error) {
      if (!replay.closed) this.#warn(`The replay socket failed: ${String(error)}`);
    }
  }

  #since(start: bigint): readonly Message[] {
    const { bufferSteps } = this.#config;
    const oldest = Math.max(0, this.#next - bufferSteps);
    const first = start > BigInt(oldest) ? Number(start) : oldest;
    const found: Message[] = [];
    for (let number = first; number < this.#next; number++) {
      const message = this.#kept[number % bufferSteps];
      if (message !== undefined) found.push(message);
    }
    return found;
  }
}

async function load(): Promise<typeof import("zeromq")> {
  try {
    return await import("zeromq");
  } catch (error) {
    throw new Error(
      `the package zeromq cannot be loaded on this machine (${(error as Error).message}); ` + // import rejects with Errors
        'install it, or leave KV events out ("publisher": "null").',
      { cause: error },
    );
  }
}

/** As vLLM: a wildcard, `::`, ipc and inproc are ours to bind; any other address is a listener's. */
function isBound(endpoint: string): boolean {
  return /\*|::|^ipc:\/\/|^inproc:\/\//.test(endpoint);
}

async function named(key: string, address: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw new Error(`${key} "${address}" cannot be had: ${(error as Error).message}.`, {
      // zeromq throws Errors
      cause: error,
    });
  }
}

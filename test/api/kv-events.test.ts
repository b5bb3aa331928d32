/** KV-cache events as a router reads them. */
import { decode } from "@msgpack/msgpack";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Dealer, Subscriber } from "zeromq";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let replayEndpoint: string;
const subscriber = new Subscriber();

beforeAll(async () => {
  server = await startServer([
    "models/tiny/llama",
    "--device",
    "null",
    "--block-size",
    "4",
    "--kv-events-config",
    JSON.stringify({
      enable_kv_cache_events: true,
      endpoint: "tcp://127.0.0.1:*",
      replay_endpoint: "tcp://127.0.0.1:*",
      topic: "kv@pod@tiny",
    }),
  ]);
  const [publisher] = server.world.kvEvents?.publishers ?? [];
  replayEndpoint = publisher?.replayEndpoint ?? "";
  subscriber.connect(publisher?.endpoint ?? "");
  subscriber.subscribe("kv@pod@");
});
afterAll(async () => {
  subscriber.close();
  await server.stop(0);
});

type Payload = [number, Record<string, unknown>[], number];
const read = (payload: Uint8Array | undefined) =>
  decode(payload ?? new Uint8Array(), { useBigInt64: true }) as Payload;

describe("kv events", () => {
  it("are published for stored blocks, and again on request", async () => {
    // A subscriber joins in its own time: ask until it has heard something.
    const heard = subscriber.receive();
    let silent = true;
    void heard.then(() => {
      silent = false;
    });
    for (let index = 0; silent; index++) {
      const prompt = [1 + (index % 256), 1 + ((index >> 8) % 256), 3, 4, 5, 6, 7, 8, 9];
      await server.post("/v1/completions", { prompt, max_tokens: 1 });
    }
    const [topic, sequence, payload] = await heard;
    expect(String(topic)).toBe("kv@pod@tiny");
    const [time, events, rank] = read(payload);
    expect(Math.abs(time - Date.now() / 1000)).toBeLessThan(60);
    expect(rank).toBe(0);
    expect(events[0]).toMatchObject({
      type: "BlockStored",
      parent_block_hash: null,
      block_size: 4,
      medium: "GPU",
      lora_id: null,
    });
    const hashes = (events[0]?.["block_hashes"] ?? []) as unknown[];
    expect(hashes.map((hash) => typeof hash)).toEqual(["bigint", "bigint"]);
    expect(events[0]?.["token_ids"]).toHaveLength(8);

    const dealer = new Dealer();
    dealer.connect(replayEndpoint);
    await dealer.send(["", Buffer.alloc(8)]);
    const replayed: bigint[] = [];
    for await (const [, number] of dealer) {
      if (number === undefined || number.readBigInt64BE() === -1n) break;
      replayed.push(number.readBigUInt64BE());
    }
    dealer.close();
    expect(replayed[0]).toBe(0n);
    expect(replayed).toContain(sequence?.readBigUInt64BE());
  });
});

/**
 * Embeddings a second beside another server of the same folder (vLLM's CPU build): the same
 * texts, so many in flight, the two in turn; each round's ratio is of the same minute. Start each
 * server in a session of its own (setsid): on a busy machine Linux shares the processor out by
 * session (sched_autogroup), and one begun beside other commands waits for a core most of its time.
 *
 *     npx tsx scripts/maintain/bench/pooling.ts OUR_URL PEER_URL [--tokens 64] [--in-flight 8] [--requests 200] [--rounds 5]
 */
import { parseArgs } from "node:util";

interface Load {
  readonly tokens: number;
  readonly inFlight: number;
  readonly requests: number;
}

/** Ids of one text, other ones for each: nothing is found in a cache. */
function ids(seed: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => 10 + ((seed * 7919 + index * 104_729) % 1000));
}

/** Requests a second. */
async function pace(url: string, load: Load, from: number): Promise<number> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < load.requests; index = next++) {
      const response = await fetch(`${url}/v1/embeddings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: ids(from + index, load.tokens), encoding_format: "base64" }),
      });
      if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: load.inFlight }, worker));
  return load.requests / ((performance.now() - began) / 1000);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tokens: { type: "string", default: "64" },
      "in-flight": { type: "string", default: "8" },
      requests: { type: "string", default: "200" },
      rounds: { type: "string", default: "5" },
    },
  });
  const [ours, peer] = positionals;
  if (ours === undefined || peer === undefined)
    throw new Error("usage: pooling.ts OUR_URL PEER_URL");
  const load = {
    tokens: Number(values.tokens),
    inFlight: Number(values["in-flight"]),
    requests: Number(values.requests),
  };
  const found: { ours: number; peer: number }[] = [];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const from = round * load.requests;
    const one = { ours: await pace(ours, load, from), peer: await pace(peer, load, from) };
    if (round > 0) found.push(one); // the first warms both up
  }
  const ratios = found.map((one) => one.ours / one.peer);
  console.log(`${load.tokens} tokens a text, ${load.inFlight} in flight, ${found.length} rounds`);
  console.log(`ours ${median(found.map((one) => one.ours)).toFixed(1)} requests/s`);
  console.log(`peer ${median(found.map((one) => one.peer)).toFixed(1)} requests/s`);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  console.log(`ours / peer ${median(ratios).toFixed(2)} (${range})`);
}

await main();

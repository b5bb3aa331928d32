/**
 * The same request gives the same bits alone or among others: logits of every
 * output position are hashed as the sampler gets them. Mixed means: random
 * arrivals, chunks of a small step, prefixes from the cache, preemptions.
 */
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { type CpuWorld, cpuWorld, randomRequests } from "./cpu-world.ts";
import type { Proof } from "./proof.ts";
import { seeded } from "./proof.ts";

const REQUESTS = 200;

export const prove: Proof = async (report) => {
  const requests = randomRequests(REQUESTS, { vocabSize: 8000, prompt: 200, output: 24 });
  for (const quantization of ["none", "int8"]) {
    const alone = await cpuWorld(
      { quantization, blocks: 400, maxRows: 1 },
      { enablePrefixCaching: false },
      { hashLogits: true },
    );
    for (const request of requests) {
      alone.engine.submit(request);
      await alone.engine.idle();
    }
    await alone.close();
    const mixed = await cpuWorld(
      { quantization, blocks: 120, maxRows: 24, maxTokens: 96 },
      {},
      { hashLogits: true },
    );
    const seen = await mix(mixed, requests);
    await mixed.close();
    let positions = 0;
    let different = 0;
    for (const [id, own] of alone.logits) {
      for (const [position, hash] of own) {
        positions++;
        if (mixed.logits.get(id)?.get(position) !== hash) different++;
      }
    }
    const name = quantization === "none" ? "F32" : quantization;
    report.line(
      `${name}: ${seen.preemptions} preemptions, ${seen.cached} prompt tokens from the cache, up to ${seen.rows} rows a step`,
    );
    report.claim(
      `${name}: logits bit for bit as alone`,
      different === 0 && alone.logits.size === REQUESTS && seen.rows > 8,
      `${positions} positions of ${alone.logits.size} requests, ${different} differ`,
    );
  }
};

async function mix({ engine, clock }: CpuWorld, requests: readonly GenerationRequest[]) {
  const random = seeded(11);
  const seen = { preemptions: 0, cached: 0, rows: 0 };
  engine.subscribe((event) => {
    if (event.type === "request-preempted") seen.preemptions++;
    if (event.type === "request-scheduled") seen.cached += event.cachedTokens;
    if (event.type === "step-finished") seen.rows = Math.max(seen.rows, event.rows);
  });
  let at = clock.now();
  let left = requests.length;
  await new Promise<void>((resolve) => {
    const next = (index: number): void => {
      const request = requests[index];
      if (request === undefined) return;
      clock.at(at, () => {
        engine.submit(request); // in order: the ids are those of the run alone
        left--;
        if (left === 0) resolve();
        next(index + 1);
      });
      at = Math.max(at, clock.now()) + random() * 8e6;
    };
    next(0);
  });
  await engine.idle();
  engine.check();
  return seen;
}

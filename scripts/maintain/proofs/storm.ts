/** Preemption storm: a KV pool of two hundredths of what all requests would hold at once. */
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { cpuWorld, randomRequests } from "./cpu-world.ts";
import type { Proof } from "./proof.ts";
import { sameIds } from "./proof.ts";

const REQUESTS = 200;
const BLOCK = 16;
const POOL_SHARE = 0.02;

export const prove: Proof = async (report) => {
  const requests = randomRequests(REQUESTS, { vocabSize: 8000, prompt: 160, output: 120 });
  const blocksOf = ({ prompt, params }: GenerationRequest): number =>
    Math.ceil((prompt.length + params.maxTokens) / BLOCK);
  const need = requests.reduce((sum, request) => sum + blocksOf(request), 0);
  const pool = Math.floor(need * POOL_SHARE);
  const calm = await run(requests, need);
  const storm = await run(requests, pool);
  report.line(
    `${REQUESTS} requests need ${need} blocks; a pool of ${pool}: ${storm.preemptions} preemptions, ` +
      `${storm.seconds.toFixed(1)} s against ${calm.seconds.toFixed(1)} s`,
  );
  report.claim(
    "all finish",
    storm.finished === REQUESTS,
    `${storm.finished} of ${REQUESTS} by length`,
  );
  report.claim("it is a storm", storm.preemptions > 0, `${storm.preemptions} preemptions`);
  report.claim(
    "same ids as without",
    calm.preemptions === 0 && sameIds(calm.ids, storm.ids),
    `${storm.ids.size} requests compared`,
  );
};

async function run(requests: readonly GenerationRequest[], blocks: number) {
  const world = await cpuWorld(
    { blocks, blockSize: BLOCK, maxRows: 64, maxTokens: 512 },
    { maxNumSeqs: 64 },
  );
  const { engine } = world;
  const ids = new Map<number, number[]>();
  let preemptions = 0;
  let finished = 0;
  engine.subscribe((event) => {
    if (event.type === "request-preempted") preemptions++;
    if (event.type === "request-finished" && event.reason === "length") finished++;
    if (event.type === "tokens-emitted") {
      ids.set(event.id, [...(ids.get(event.id) ?? []), ...event.tokens]);
    }
  });
  const begun = performance.now();
  for (const request of requests) engine.submit(request);
  await engine.idle();
  const seconds = (performance.now() - begun) / 1000;
  engine.check();
  await world.close();
  return { ids, preemptions, finished, seconds };
}

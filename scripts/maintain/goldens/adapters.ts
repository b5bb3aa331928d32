/**
 * vLLM's ids for a base model and two adapters of it, asked together:
 *
 *     node --import tsx scripts/maintain/goldens/adapter-folders.ts OUT
 *     vllm serve OUT/base --served-model-name m --dtype float32 --enable-lora --max-loras 2 \
 *         --max-lora-rank 64 --lora-modules r8=OUT/r8 r64=OUT/r64
 *     node --import tsx scripts/maintain/goldens/adapters.ts VLLM_URL
 *
 * A prompt is kept when, by all three, every choice leads by MARGIN and the text wanders.
 */
import { writeFileSync } from "node:fs";

const OUT = "test/conformance/adapters/goldens.json";
const MODELS = ["m", "r8", "r64"];
const LENGTH = 64;
const PROMPTS = 5;
const MARGIN = 2e-3;
/** Different ids that a text has at least. */
const WANDERS = 24;

interface Asked {
  readonly ids: readonly number[];
  readonly margin: number;
}

function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 2 ** 31;
  };
}

async function ask(url: string, model: string, prompt: readonly number[]): Promise<Asked> {
  const body = {
    ...{ model, prompt, max_tokens: LENGTH, temperature: 0, ignore_eos: true },
    ...{ logprobs: 2, return_token_ids: true },
  };
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  const { choices } = (await response.json()) as {
    choices: {
      token_ids: number[];
      logprobs: { top_logprobs: Record<string, number>[] };
    }[];
  };
  const [choice] = choices;
  if (choice === undefined) throw new Error("no choice");
  const margins = choice.logprobs.top_logprobs.map((top) => {
    const [first = 0, second = 0] = Object.values(top).sort((a, b) => b - a);
    return first - second;
  });
  return { ids: choice.token_ids, margin: Math.min(...margins) };
}

async function main([url]: readonly string[]): Promise<void> {
  if (url === undefined) throw new Error("usage: adapters.ts VLLM_URL");
  const random = draws(7);
  const cases: { prompt: readonly number[]; outputs: Record<string, readonly number[]> }[] = [];
  let tried = 0;
  let least = Number.POSITIVE_INFINITY;
  while (cases.length < PROMPTS) {
    if (++tried > 100) throw new Error(`only ${cases.length} prompts are clear`);
    // One block and less, and several: prefixes that are cached and such that are not.
    const length = 3 + Math.floor(random() * (cases.length % 2 === 0 ? 20 : 70));
    const prompt = Array.from({ length }, () => 3 + Math.floor(random() * 8100));
    const answers = await Promise.all(MODELS.map((model) => ask(url, model, prompt)));
    const margin = Math.min(...answers.map((answer) => answer.margin));
    const wanders = answers.every(({ ids }) => new Set(ids).size >= WANDERS);
    if (margin < MARGIN || !wanders) continue;
    least = Math.min(least, margin);
    const outputs = MODELS.map((model, index) => [model, answers[index]?.ids ?? []] as const);
    cases.push({ prompt, outputs: Object.fromEntries(outputs) });
  }
  writeFileSync(OUT, `${JSON.stringify({ models: MODELS, length: LENGTH, cases })}\n`);
  console.log(`${cases.length} of ${tried} prompts kept, smallest margin ${least.toFixed(4)}`);
}

await main(process.argv.slice(2));

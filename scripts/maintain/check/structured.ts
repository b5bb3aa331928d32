/**
 * Structured output on a real model: random schemas and prompts, each finished
 * answer validated by ajv; and required tool calls, each checked against its tool.
 *
 *     npx tsx scripts/maintain/check/structured.ts [--schemas 1000] [--tools 100] [--model FOLDER] [--seed 1]
 *
 * Prints a table; the exit code is 1 when one finished answer does not validate.
 */
import { parseArgs } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { serve } from "../../../server/main.ts";

type Json = Readonly<Record<string, unknown>>;
type Random = () => number;

/** mulberry32: small, seeded, good enough to pick test cases. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)] as T; // lists below are not empty
}

const NAMES = ["name", "age", "city", "tags", "é", "on", "kind", "price", "next", "x-y"];
const PATTERNS = [
  "^[a-z]{2,8}$",
  "^[A-Z][a-z]+( [A-Z][a-z]+)?$",
  "^\\d{3}-\\d{4}$",
  "^(red|green|blue)$",
  "^#[0-9a-f]{6}$",
];
const FORMATS = ["date", "time", "uuid", "ipv4", "email", "date-time"];

export function randomSchema(random: Random, depth = 0): Json {
  const kinds = depth >= 3 ? 6 : 9;
  switch (below(random, kinds)) {
    case 0: {
      const minimum = below(random, 2_000) - 1_000;
      return pick<Json>(random, [
        { type: "integer", minimum, maximum: minimum + below(random, 5_000) },
        { type: "integer", exclusiveMinimum: minimum },
        { type: "integer", multipleOf: 1 + below(random, 12), minimum: 0, maximum: 9_999 },
      ]);
    }
    case 1: {
      const minimum = below(random, 4_000) / 16 - 100;
      return pick<Json>(random, [
        { type: "number", minimum, exclusiveMaximum: minimum + 7.5 },
        { type: "number", maximum: minimum },
      ]);
    }
    case 2:
      return { type: "string", minLength: below(random, 3), maxLength: 3 + below(random, 20) };
    case 3:
      return {
        type: "string",
        ...(random() < 0.5
          ? { pattern: pick(random, PATTERNS) }
          : { format: pick(random, FORMATS) }),
      };
    case 4:
      return { enum: [null, 1.5, "a", "a b", true, { k: [1] }, -3].slice(below(random, 6)) };
    case 5:
      return pick<Json>(random, [
        { type: "boolean" },
        { type: ["null", "boolean"] },
        { const: 'fixed "text"' },
      ]);
    case 6: {
      const minItems = below(random, 3);
      return {
        type: "array",
        items: randomSchema(random, depth + 1),
        minItems,
        maxItems: minItems + below(random, 3),
      };
    }
    case 7:
      return { anyOf: [randomSchema(random, depth + 1), randomSchema(random, depth + 1)] };
    default:
      return randomObject(random, depth);
  }
}

function randomObject(random: Random, depth: number): Json {
  const names = NAMES.filter(() => random() < 0.4);
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, randomSchema(random, depth + 1)])),
    required: names.filter(() => random() < 0.6),
    ...((names.length === 0 || random() < 0.7) && { additionalProperties: false }),
  };
}

interface Choice {
  readonly finish_reason: string;
  readonly message: {
    readonly content: string | null;
    readonly tool_calls?: readonly {
      readonly function: { readonly name: string; readonly arguments: string };
    }[];
  };
}

interface Answer {
  readonly status: number;
  readonly choice: Choice | undefined;
  readonly text: string;
}

const PROMPTS = [
  "Tell me a story about a dog.",
  "Describe a person.",
  "What did the bird see?",
  "Write a list.",
  "Who lives in the house?",
];
const PARALLEL = 16;

export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      schemas: { type: "string", default: "1000" },
      tools: { type: "string", default: "100" },
      model: { type: "string" },
      seed: { type: "string", default: "1" },
    },
  });
  const model = values.model === undefined ? [] : [values.model];
  const flags = ["--device", "cpu", "--port", "0", "--tool-call-parser", "hermes"];
  const server = await serve(
    parseSettings([...model, ...flags]).settings,
    pino({ level: "silent" }),
  );
  const random = randomOf(Number(values.seed));
  const ask = async (body: object): Promise<Answer> => {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        messages: [{ role: "user", content: pick(random, PROMPTS) }],
        seed: below(random, 2 ** 31),
        ...body,
      }),
    });
    const text = await response.text();
    const parsed = JSON.parse(text) as { readonly choices?: readonly Choice[] }; // our own server
    return { status: response.status, choice: parsed.choices?.[0], text };
  };
  try {
    const schemas = await checkSchemas(Number(values.schemas), random, ask);
    const tools = await checkTools(Number(values.tools), random, ask);
    return schemas && tools ? 0 : 1;
  } finally {
    await server.stop(0);
  }
}

async function checkSchemas(
  count: number,
  random: Random,
  ask: (body: object) => Promise<Answer>,
): Promise<boolean> {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const counts = { finished: 0, valid: 0, cut: 0, refused: 0, failed: 0 };
  await inParallel(count, async () => {
    const schema = randomObject(random, 0);
    const temperature = pick(random, [0, 0.7, 1.5]);
    const answer = await ask({
      max_tokens: 400,
      temperature,
      response_format: { type: "json_schema", json_schema: { name: "random", schema } },
    });
    if (answer.status === 400) counts.refused++;
    else if (answer.choice === undefined) {
      counts.failed++;
      process.stdout.write(`failed: ${answer.text.slice(0, 200)}\n  ${JSON.stringify(schema)}\n`);
    } else if (answer.choice.finish_reason !== "stop") counts.cut++;
    else {
      counts.finished++;
      const text = answer.choice.message.content ?? "";
      if (ajv.validate(schema, parsed(text))) counts.valid++;
      else process.stdout.write(`invalid: ${text}\n  ${JSON.stringify(schema)}\n`);
    }
  });
  process.stdout.write(
    `schemas ${count}: refused ${counts.refused}, finished ${counts.finished}, valid ${counts.valid}, cut off by max_tokens ${counts.cut}, failed ${counts.failed}\n`,
  );
  return counts.valid === counts.finished && counts.failed === 0 && counts.finished > 0;
}

async function checkTools(
  count: number,
  random: Random,
  ask: (body: object) => Promise<Answer>,
): Promise<boolean> {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  let valid = 0;
  await inParallel(count, async (i) => {
    const tools = Array.from({ length: 1 + below(random, 4) }, (_, k) => ({
      type: "function",
      function: {
        name: `tool_${i}_${k}`,
        description: "A tool.",
        parameters: randomObject(random, 1),
      },
    }));
    const answer = await ask({
      max_tokens: 600,
      temperature: 0.7,
      tools,
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    const call = answer.choice?.message.tool_calls?.[0]?.function;
    const tool = tools.find((one) => one.function.name === call?.name);
    if (
      call !== undefined &&
      tool !== undefined &&
      ajv.validate(tool.function.parameters, parsed(call.arguments))
    )
      valid++;
    else process.stdout.write(`no valid call: ${answer.text.slice(0, 400)}\n`);
  });
  process.stdout.write(`required tool calls ${count}: valid ${valid}\n`);
  return valid === count;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = await run(process.argv.slice(2));
}

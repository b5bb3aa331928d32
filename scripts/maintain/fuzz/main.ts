/**
 * Requests made at random from /openapi.json, on every route, with large bodies and
 * floods of bad schemas and grammars among them, against a server in this process.
 * Nothing may answer 5xx (but 503 where too much waits), hang, hold the event loop for
 * a second, leave a request running or a block held, or break structured output.
 *
 *     npx tsx scripts/maintain/fuzz/main.ts [--requests 20000] [--seed 1] [--model FOLDER]
 *
 * Prints the seed, answers by status, large bodies sent and the event loop's longest hold.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { type RunningServer, serve } from "../../../server/main.ts";
import { badConstraint, writeBody } from "./bad-constraints.ts";
import { pick, type Random, randomOf, randomValue, sampleOf } from "./values.ts";

export interface FuzzReport {
  readonly requests: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Bodies above 8 MB among them. */
  readonly large: number;
  /** What went wrong; empty: nothing did. */
  readonly faults: readonly string[];
}

interface Operation {
  readonly path: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Absent: it takes no body. */
  readonly schema?: unknown;
}

const PARALLEL = 12;
/** Of requests that have a body: above 8 MB. */
const LARGE = 0.03;
const LARGE_BYTES = 8_400_000;
/** Held for so long by one turn, the event loop stalls everybody. */
const STALL_MS = 1_000;
const TIMEOUT_MS = 60_000;

export async function fuzz(
  server: RunningServer,
  requests: number,
  random: Random,
): Promise<FuzzReport> {
  const operations = await readOperations(server.url);
  const statuses = new Map<number, number>();
  const faults: string[] = [];
  const send = async ({ path, method }: Operation, body = ""): Promise<void> => {
    try {
      const response = await fetch(server.url + path.replaceAll(/\{\w+\}/g, "x"), {
        method,
        ...(method === "POST" && { headers: { "content-type": "application/json" }, body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      // 503: more than may wait.
      if (response.status >= 500 && response.status !== 503) {
        faults.push(`${response.status} ${path} ${body.slice(0, 600)} → ${text.slice(0, 300)}`);
      } else if (text.includes('"code":500'))
        faults.push(`error in a stream: ${path} ${body.slice(0, 600)} → ${text.slice(-300)}`);
    } catch (error) {
      faults.push(`${error instanceof Error ? error.name : "error"} ${path} ${body.slice(0, 600)}`);
    }
  };
  let next = 0;
  let large = 0;
  const one = async (): Promise<void> => {
    while (next++ < requests) {
      const operation = pick(random, operations);
      if (operation.schema === undefined) {
        await send(operation);
        continue;
      }
      const huge = random() < LARGE;
      if (huge) large++;
      await send(operation, huge ? largeBody(random) : randomBody(operation, random));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
  faults.push(...(await checkAfter(server)));
  return { requests, statuses, large, faults };
}

async function readOperations(url: string): Promise<readonly Operation[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  }; // our own server
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    STREAMS.has(path)
      ? []
      : Object.entries(methods).map(([method, operation]): Operation => {
          const { requestBody } = operation as {
            readonly requestBody?: {
              readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
            };
          }; // our own document
          const schema = requestBody?.content["application/json"]?.schema;
          const upper = method.toUpperCase() as Operation["method"]; // those of our routes
          return { path, method: upper, ...(schema !== undefined && { schema }) };
        }),
  );
  if (operations.length === 0) throw new Error("/openapi.json has no operation with a body.");
  return operations;
}

/** They never end, or end the run. */
const STREAMS: ReadonlySet<string> = new Set(["/live", "/v1/realtime"]);

/** Of more than 8 MB, of one thing or another. */
function largeBody(random: Random): string {
  const fill = (unit: string): string => unit.repeat(Math.ceil(LARGE_BYTES / unit.length));
  return pick<() => string>(random, [
    () => `{"prompt":"${fill("word ")}"}`,
    () => `{"prompt":"a${fill("\\n")}b","truncate_prompt_tokens":5}`,
    () => `{"prompt":[${fill("1,")}1],"tokens":[1]}`,
    () => `{"messages":[${fill('{"role":"user","content":"x"},')}{}]}`,
    () => `{"messages":[{"role":"user","content":"${fill("é")}"}],"max_tokens":1}`,
    () => `{"prompt":"a","max_tokens":1,"user":"${fill("u")}"}`,
    () => `{"prompt":"a","metadata":${fill('{"a":')}`,
    () => `{"prompt":"a","structured_outputs":{"regex":"${fill("a?")}"}}`,
    () => `{"prompt":"a","max_tokens":1${fill(" ")}}`,
    () => `{"prompt":"a","stop":["${fill("s")}"],"max_tokens":2}`,
    () => fill("{"),
  ])();
}

/** The event loop's longest hold, which is this server's too: it runs in this process. */
function watchLoop(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  return () => {
    histogram.disable();
    return histogram.max / 1e6;
  };
}

function randomBody({ path, schema }: Operation, random: Random): string {
  const roll = random();
  if (roll < 0.02)
    return pick(random, ["", "{", "[]", "null", '"x"', "{}", '{"messages":', "\u0000"]);
  const value = sampleOf(schema, random, {
    optional: pick(random, [0.05, 0.15, 0.5]),
    wrong: pick(random, [0, 0.02, 0.1]),
  });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return JSON.stringify(value);
  const body: Record<string, unknown> = { ...value };
  if (path.includes("completions")) {
    // Mostly such that something is generated, and not much of it.
    if (random() < 0.85) body["max_tokens"] = pick(random, [1, 2, 5, 9]);
    if (random() < 0.85) delete body["max_completion_tokens"];
    if (random() < 0.9) delete body["model"];
    if (random() < 0.7 && path.includes("chat"))
      body["messages"] = [
        { role: "user", content: pick(random, ["hi", "", "é🙂", "a".repeat(300)]) },
      ];
    if (random() < 0.7 && !path.includes("chat"))
      body["prompt"] = pick<unknown>(random, ["hi", [1, 2, 3], ["a", "b"]]);
    if (random() < 0.35) Object.assign(body, badConstraint(random));
  }
  // Without a limit an answer goes on to the context's end.
  if (/responses|messages/.test(path) && random() < 0.95) {
    body["max_output_tokens"] = body["max_tokens"] = pick(random, [1, 3, 8]);
  }
  if (random() < 0.05) body[pick(random, Object.keys(body)) ?? "x"] = randomValue(random);
  return writeBody(body);
}

/** All is at rest, the metrics agree, and structured output works. */
async function checkAfter(server: RunningServer): Promise<readonly string[]> {
  const faults: string[] = [];
  const { engines } = server.world.serving;
  await engines.idle();
  if (engines.kvUsage !== 0) faults.push(`KV blocks are still held: ${engines.kvUsage}`);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const name of ["vllm:num_requests_running", "vllm:num_requests_waiting"]) {
    const line = metrics.split("\n").find((one) => one.startsWith(`${name}{`));
    if (line !== undefined && !line.endsWith(" 0")) faults.push(`the metric says ${line}`);
  }
  const health = await fetch(`${server.url}/health`);
  if (health.status !== 200) faults.push(`/health answers ${health.status}`);
  const response = await fetch(`${server.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      prompt: "hi",
      max_tokens: 40,
      structured_outputs: { regex: "(yes|no) [0-9]{2}" },
    }),
  });
  const text = await response.text();
  if (!/"text":"(yes|no) \d\d"/.test(text))
    faults.push(`structured output no longer works: ${text.slice(0, 300)}`);
  return faults;
}

export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      requests: { type: "string", default: "20000" },
      seed: { type: "string", default: "1" },
      model: { type: "string", default: "models/tiny/llama" },
    },
  });
  const flags = [
    "--device",
    "cpu",
    "--port",
    "0",
    "--enable-auto-tool-choice",
    "--tool-call-parser",
    "hermes",
  ];
  const server = await serve(
    parseSettings([values.model, ...flags]).settings,
    pino({ level: "silent" }),
  );
  try {
    const begun = performance.now();
    const held = watchLoop();
    const report = await fuzz(server, Number(values.requests), randomOf(Number(values.seed)));
    const longest = held();
    const statuses = [...report.statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`);
    process.stdout.write(
      `seed ${values.seed}; requests ${report.requests} in ${((performance.now() - begun) / 1000).toFixed(0)} s, ` +
        `${report.large} above 8 MB; ${statuses.join(", ")}; event loop held for ${longest.toFixed(0)} ms at most; ` +
        `faults ${report.faults.length}\n`,
    );
    for (const fault of report.faults.slice(0, 20)) process.stdout.write(`  ${fault}\n`);
    return report.faults.length === 0 && longest < STALL_MS ? 0 : 1;
  } finally {
    await server.stop(0);
  }
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = await run(process.argv.slice(2));
}

/**
 * `trainyard run-batch -i FILE -o FILE`: OpenAI's batch files without a server. Every line
 * of the input is a request, answered as the route would answer it; lines of the output
 * stand in the input's order. All other flags are those of `serve`.
 */
import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { buildApp } from "../../server/app.ts";
import { parseSettings } from "../../server/config.ts";
import { SettingsError } from "../../server/settings/error.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { withDefaultModel } from "../../server/world/default-model.ts";
import { buildWorld } from "../../server/world/world.ts";
import { UsageError } from "../usage.ts";
import { openOutput, readInput } from "./batch-files.ts";
import { ownWords, parseFlags } from "./flags.ts";

/** What answers a batch: vLLM's, and three more. */
const ENDPOINTS: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/embeddings",
  "/score",
  "/rerank",
  "/v1/completions",
  "/v1/responses",
  "/v1/messages",
]);

/** Requests under way at once: enough to fill every step, few enough to hold in memory. */
const IN_FLIGHT = 512;

const files = rowsOf("Files");

/** Beside these, every flag of `serve`. */
export const RUN_BATCH_FLAGS = {
  "input-file": files.text(undefined, "requests, one a line, or a URL to get them from; also -i", {
    value: "FILE",
    short: "-i",
  }),
  "output-file": files.text(
    undefined,
    "where their answers go, in the same order, or a URL to put them at; also -o",
    {
      value: "FILE",
      short: "-o",
    },
  ),
  "output-tmp-dir": files.text(undefined, "folder of the answers until they are sent to a URL", {
    value: "FOLDER",
  }),
} as const;

const SPEC = {
  name: "trainyard run-batch",
  sentence:
    "Answer a file of requests, as OpenAI's batches are. All other flags are those of serve (trainyard serve --help).",
  flags: RUN_BATCH_FLAGS,
};

export interface BatchLine {
  readonly custom_id: string;
  readonly method: string;
  readonly url: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  const { own, rest } = ownWords(RUN_BATCH_FLAGS, argv);
  if (rest.some((word) => word === "--help" || word === "-h")) parseFlags(SPEC, ["--help"], print);
  const {
    "input-file": input,
    "output-file": output,
    "output-tmp-dir": folder,
  } = parseFlags(SPEC, own, print).values;
  let parsed: ReturnType<typeof parseSettings>;
  try {
    parsed = parseSettings(rest, process.env, { out: print, err: () => {} });
  } catch (error) {
    if (error instanceof SettingsError && error.exitCode === 0) return 0;
    throw error instanceof SettingsError ? new UsageError(error.message) : error;
  }
  if (input === undefined || output === undefined) {
    throw new UsageError("Name the batch's files: -i INPUT.jsonl -o OUTPUT.jsonl.");
  }
  const lines = readBatch(await readInput(input));
  const settings = withDefaultModel(parsed);
  const world = await buildWorld(settings, (error) => process.stderr.write(`${error.message}\n`));
  const { file, finish, close } = await openOutput(output, folder);
  try {
    await world.simulatedStart?.run();
    const app = await buildApp({
      serving: world.serving,
      metrics: world.metrics,
      ...(world.pooler !== undefined && { pooler: world.pooler }),
    });
    const [key] = settings["api-key"];
    let failed = 0;
    await runBatch(lines, {
      app,
      ...(key !== undefined && { key }),
      write: async (answer) => {
        if (answer.response?.status_code !== 200) failed++;
        await file.write(`${JSON.stringify(answer)}\n`);
      },
    });
    await app.close();
    await finish();
    print(`${lines.length} requests, ${failed} of them failed; answers in ${output}\n`);
  } finally {
    await close();
    await world.close();
  }
  return 0;
}

/** Throws UsageError naming the line that is no request. */
export function readBatch(text: string): readonly BatchLine[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .flatMap((line, index) => {
      if (line.trim() === "") return [];
      const wrong = (why: string) => new UsageError(`Line ${index + 1} of the batch ${why}.`);
      let value: Partial<BatchLine> | null;
      try {
        value = JSON.parse(line) as Partial<BatchLine> | null; // looked at below
      } catch {
        throw wrong("is not JSON");
      }
      if (typeof value !== "object" || value === null) throw wrong("is not an object");
      for (const field of ["custom_id", "method", "url"] as const) {
        if (typeof value[field] !== "string") throw wrong(`has no \`${field}\``);
      }
      if (typeof value.body !== "object" || value.body === null || Array.isArray(value.body)) {
        throw wrong("has no `body`");
      }
      return [value as BatchLine]; // its fields were just checked
    });
}

export interface BatchAnswer {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: unknown;
  } | null;
  readonly error: unknown;
}

export interface BatchRun {
  readonly app: Pick<FastifyInstance, "inject" | "hasRoute">;
  /** API key of the server, if it wants one. */
  readonly key?: string;
  /** Called for each answer, in the order of the lines. */
  readonly write: (answer: BatchAnswer) => Promise<void>;
}

export async function runBatch(
  lines: readonly BatchLine[],
  { app, key, write }: BatchRun,
): Promise<void> {
  const under: Promise<BatchAnswer>[] = [];
  let next = 0;
  const start = (): void => {
    const line = lines[next++];
    if (line !== undefined) under.push(answerLine(line, app, key));
  };
  while (next < Math.min(IN_FLIGHT, lines.length)) start();
  for (let first = under.shift(); first !== undefined; first = under.shift()) {
    await write(await first);
    start();
  }
}

async function answerLine(
  line: BatchLine,
  app: BatchRun["app"],
  key: string | undefined,
): Promise<BatchAnswer> {
  const named = { id: `vllm-${random()}`, custom_id: line.custom_id };
  const answered = (status: number, body: unknown, error: unknown): BatchAnswer => ({
    ...named,
    response: { status_code: status, request_id: `vllm-batch-${random()}`, body },
    error,
  });
  const url = routeOf(line.url);
  if (line.method.toUpperCase() !== "POST" || !ENDPOINTS.has(url)) {
    const known = [...ENDPOINTS].join(", ");
    return answered(400, null, `URL ${line.url} was used. Supported endpoints: ${known}.`);
  }
  if (!app.hasRoute({ method: "POST", url })) {
    return answered(400, null, `Model does not support endpoint: ${line.url}`);
  }
  if (line.body["stream"]) return answered(400, null, "Request must not be sent in stream mode");
  const { statusCode, payload } = await app.inject({
    method: "POST",
    url,
    headers: {
      "content-type": "application/json",
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    payload: JSON.stringify(line.body),
  });
  const body: unknown = JSON.parse(payload);
  return statusCode === 200 ? answered(200, body, null) : answered(statusCode, null, body);
}

/** Scores and ranks are asked for by the end of a URL. */
function routeOf(url: string): string {
  return ["/score", "/rerank"].find((end) => url.endsWith(end)) ?? url;
}

const random = (): string => randomBytes(8).toString("hex");

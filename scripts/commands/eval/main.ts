/**
 * `trainyard eval FILE`: how good a model's answers are, beside how fast they come. Asks any
 * OpenAI-compatible server (`--base-url`), or one of its own, which takes every flag of serve.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { serve } from "../../../server/main.ts";
import { Progress } from "../../../server/progress.ts";
import { SettingsError } from "../../../server/settings/error.ts";
import { rowsOf } from "../../../server/settings/row.ts";
import { withDefaultModel } from "../../../server/world/default-model.ts";
import { tableLines } from "../../load/column.ts";
import { servedModel } from "../../load/server.ts";
import { table } from "../../report/table.ts";
import { UsageError } from "../../usage.ts";
import { type FlagValues, ownWords, parseFlags } from "../flags.ts";
import { count } from "../kinds.ts";
import { type AskOptions, askItem, tpotOf } from "./ask.ts";
import { type EvalItem, readItems } from "./items.ts";
import { EVAL_COLUMNS, type EvalAnswer, type EvalResult, evalRows } from "./result.ts";
import { isRight } from "./score.ts";

const asked = rowsOf("Server");
const load = rowsOf("Load");
const output = rowsOf("Output");

/** Beside these, every flag of `serve`. */
export const EVAL_FLAGS = {
  "base-url": asked.text(
    undefined,
    "server to ask; absent: one of its own, by the flags of serve",
    {
      value: "URL",
    },
  ),
  "request-model": asked.text(undefined, "name to ask it by; absent: the first it lists"),
  "api-key": asked.text(undefined, "key to show it", { secret: true, env: "OPENAI_API_KEY" }),
  concurrency: count(load, 1, "questions under way at once"),
  "max-tokens": count(load, 64, "tokens of an answer at most, where a line does not say"),
  "extra-body": load.json({}, "fields of every request, beneath those of its line"),
  out: output.text(undefined, "writes every answer and its times, for trainyard compare", {
    value: "FILE",
  }),
  wrong: output.toggle(false, "prints the answers that are wrong"),
  quiet: output.toggle(false, "no progress on stderr"),
} as const;

const SPEC = {
  name: "trainyard eval",
  sentence:
    "Ask a file of questions and count the right answers, beside the times. All other flags are those of serve (trainyard serve --help), for a server of its own.",
  argument: { name: "FILE", sentence: "questions, a JSON object a line" },
  flags: EVAL_FLAGS,
};

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const file = argv[0]?.startsWith("-") ? undefined : argv[0];
  const { own, rest } = ownWords(EVAL_FLAGS, file === undefined ? argv : argv.slice(1));
  if (rest.some((word) => word === "--help" || word === "-h")) parseFlags(SPEC, ["--help"], print);
  const { values, shown } = parseFlags(SPEC, own, print);
  if (file === undefined) throw new UsageError("Name the file of questions: trainyard eval FILE.");
  const text = readQuestions(file);
  const items = readItems(text);
  const server = await serverOf(values, rest);
  try {
    const began = performance.now();
    const answers = await askAll(items, values, {
      baseUrl: server.baseUrl,
      model: values["request-model"] ?? (await servedModel(server)).id,
      headers: server.headers,
      body: { temperature: 0, max_tokens: values["max-tokens"], ...values["extra-body"] },
    });
    const result: EvalResult = {
      eval: 1,
      model: server.model ?? values["request-model"] ?? "",
      questions: { name: basename(file), sha256: createHash("sha256").update(text).digest("hex") },
      command: [shown, file, ...(values["base-url"] === undefined ? rest : [])].join(" "),
      concurrency: values.concurrency,
      seconds: (performance.now() - began) / 1000,
      answers,
    };
    print(table(tableLines(EVAL_COLUMNS, evalRows(result))));
    if (values.wrong) for (const line of wrongLines(answers)) print(line);
    if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`);
    return answers.every(({ error }) => error !== undefined) ? 1 : 0;
  } finally {
    await server.stop();
  }
}

function readQuestions(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`); // the file system throws Errors
  }
}

interface AskedServer {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly model?: string;
  stop(): Promise<void>;
}

async function serverOf(
  values: FlagValues<typeof EVAL_FLAGS>,
  rest: readonly string[],
): Promise<AskedServer> {
  const { "base-url": url, "api-key": key } = values;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  if (url !== undefined) {
    const [stranger] = rest;
    if (stranger !== undefined)
      throw new UsageError(`${stranger} means nothing beside --base-url.`);
    return { baseUrl: url.replace(/\/v1\/?$/, ""), headers, stop: async () => {} };
  }
  try {
    const settings = withDefaultModel(parseSettings([...rest, "--port", "0"], process.env));
    const running = await serve(settings, pino({ level: "silent" }));
    return {
      baseUrl: running.url,
      headers,
      model: running.world.serving.names[0],
      stop: () => running.stop(0),
    };
  } catch (error) {
    throw error instanceof SettingsError ? new UsageError(error.message) : error;
  }
}

/** In the order of the file, so many at once. */
async function askAll(
  items: readonly EvalItem[],
  { concurrency, quiet }: FlagValues<typeof EVAL_FLAGS>,
  options: AskOptions,
): Promise<readonly EvalAnswer[]> {
  const bar = quiet ? undefined : new Progress("Asked", items.length);
  const answers: EvalAnswer[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item === undefined) break;
      answers[at] = await answerTo(item, options);
      bar?.to(++done, items.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  bar?.end();
  return answers;
}

async function answerTo(item: EvalItem, options: AskOptions): Promise<EvalAnswer> {
  const { output: its, outputTokens } = await askItem(item, options);
  const { text, calls, times, error } = its;
  const [first] = times;
  const tokens = outputTokens ?? times.length;
  const tpot = tpotOf(times, tokens);
  return {
    ...{ id: item.id, kind: item.expect.kind, text, outputTokens: tokens },
    right: error === undefined && isRight(item.expect, its),
    ...(calls.length > 0 && { calls: calls.map((call) => `${call.name}(${call.arguments})`) }),
    ...(first !== undefined && { ttftMs: first }),
    ...(tpot !== undefined && { tpotMs: tpot }),
    ...(error !== undefined && { error: error instanceof Error ? error.message : String(error) }),
  };
}

function wrongLines(answers: readonly EvalAnswer[]): readonly string[] {
  return answers
    .filter(({ right }) => !right)
    .map(({ id, kind, text, calls = [], error }) => {
      const said = error ?? [text, ...calls].filter((part) => part !== "").join(" ");
      return `${id} (${kind}): ${JSON.stringify(said.slice(0, 160))}`;
    });
}

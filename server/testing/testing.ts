/**
 * `trainyard/testing`: a server of its own for each test file, in the test's process.
 *
 *     import { startServer, trainyardMatchers } from "trainyard/testing";
 *     expect.extend(trainyardMatchers);
 *     const server = await startServer({ matches: [{ match: { user: "hi" }, answer: "Hello." }] });
 *     const client = new OpenAI({ baseURL: server.baseURL, apiKey: "none" });
 *     await expect(() => client.chat.completions.create({ … })).toStreamText("Hello.");
 *     await server.close();
 */
import { readFileSync } from "node:fs";
import { pino } from "pino";
import { deviceOf } from "../../device/registry.ts";
import { parseSettings } from "../config.ts";
import type { Asked } from "../fixed/asked.ts";
import { serve } from "../main.ts";
import {
  type Answer,
  checkedLine,
  type Match,
  type MatchLine,
  readLines,
} from "../settings/match-lines.ts";
import { MATCHERS, type TrainyardMatchers } from "./matchers.ts";
import { type Output, readOutput } from "./output.ts";

export type { Answer, Asked, Match, MatchLine, Output, TrainyardMatchers };

export const trainyardMatchers = MATCHERS;

/** What a client got, read to its end: for assertions of your own. */
export const outputOf = readOutput;

export interface TestServerOptions {
  /** Folder or catalogue id, as `trainyard serve` takes it; absent: the embedded model. */
  readonly model?: string;
  /** Names the model answers to, the first is reported; absent: its own. */
  readonly names?: readonly string[];
  /** As `--device`; absent: the one that computes nothing, whose own words mean nothing, ready at once. */
  readonly device?: string;
  /** Fixed answers, or a file of them. */
  readonly matches?: string | readonly MatchLine[];
  /** Answer 404 to what matches none; absent: the model answers. */
  readonly matchesOnly?: boolean;
  /** What goes wrong, as `--inject` takes it; requests may also ask by `x-trainyard-inject`. */
  readonly inject?: string | readonly string[];
  /** Any further flags of `trainyard serve`. */
  readonly flags?: readonly string[];
}

export interface TestServer {
  /** Such as http://127.0.0.1:40123. */
  readonly url: string;
  /** For clients of OpenAI's API: with `/v1`. */
  readonly baseURL: string;
  /** The name that is reported. */
  readonly model: string;
  /** What was asked since the start or the last `reset`, in order. */
  readonly requests: readonly Asked[];
  /** A further fixed answer, in front of all others. Throws what is wrong with it. */
  answer(match: Match, ...answers: readonly (string | Answer)[]): Promise<void>;
  /** Forgets requests and the answers added since the start; turns begin anew. */
  reset(): Promise<void>;
  /** A series of /metrics by its name and, if given, a part of its labels. Throws where there is none. */
  metric(name: string, labels?: string): Promise<number>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** On a free port of this machine; nothing is printed. Throws what `trainyard serve` would say. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const lines = linesOf(options.matches ?? []);
  const { settings } = parseSettings(argumentsOf(options));
  const running = await serve({ ...settings, matches: lines }, pino({ level: "silent" }));
  const { url, world } = running;
  const { fixed } = world;
  if (fixed === undefined) throw new Error("A server with matches has none.");
  let requests: Asked[] = [];
  fixed.onAsked = (asked) => void requests.push(asked);
  const close = (): Promise<void> => running.stop(0);
  return {
    url,
    baseURL: `${url}/v1`,
    model: world.serving.names[0],
    get requests() {
      return requests;
    },
    answer: (match, ...answers) =>
      fixed.add(
        answers.map((answer) => checkedLine({ match, answer })),
        "front",
      ),
    reset: async () => {
      requests = [];
      fixed.clear();
      await fixed.add(lines);
    },
    metric: async (name, labels = "") => seriesOf(await world.metrics.text(), name, labels),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function linesOf(matches: string | readonly MatchLine[]) {
  if (typeof matches === "string") return readLines(readFileSync(matches, "utf8"));
  return matches.map((line, at) => {
    try {
      return checkedLine(line);
    } catch (error) {
      throw new Error(`matches[${at}]: ${(error as Error).message}`); // the check throws Errors
    }
  });
}

function argumentsOf({
  model,
  names = [],
  device = deviceOf("empty"),
  matchesOnly = false,
  inject = [],
  flags = [],
}: TestServerOptions): string[] {
  const faults = [inject].flat();
  return [
    ...(model === undefined ? [] : [model]),
    ...["--port", "0", "--device", device, "--disable-ui", "--enable-inject-header"],
    ...(names.length > 0 ? ["--served-model-name", ...names] : []),
    ...(faults.length > 0 ? ["--inject", ...faults] : []),
    ...(matchesOnly ? ["--matches-only"] : []),
    ...flags,
  ];
}

function seriesOf(text: string, name: string, labels: string): number {
  const line = text
    .split("\n")
    .find(
      (one) => (one.startsWith(`${name}{`) || one.startsWith(`${name} `)) && one.includes(labels),
    );
  if (line === undefined) throw new Error(`There is no series ${name} ${labels}.`);
  return Number(line.slice(line.lastIndexOf(" ") + 1));
}

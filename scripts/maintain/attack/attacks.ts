/** What one client can send to end or stall a server: each kind in several values. */
import { connect } from "node:net";
import { WebSocket } from "ws";
import type { Target } from "./server.ts";

export interface Attack {
  readonly name: string;
  /** Its largest body is above 16 MB: a gap of 400 ms is allowed, else 250. */
  readonly large?: boolean;
  /** Resolves when all is answered or hung up; says what was answered. */
  run(target: Target): Promise<string>;
}

const CHAT = "/v1/chat/completions";
const TEXT = "/v1/completions";
const TIMEOUT_MS = 120_000;

const list = (unit: string, count: number): string => `[${`${unit},`.repeat(count - 1)}${unit}]`;
const keys = (count: number): string =>
  Array.from({ length: count }, (_, i) => `"k${i}":0`).join(",");
const say = '{"role":"user","content":"x"}';
const tool = '{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}';

/** The status; "error" where the connection broke, twice: one that was idle may just be closing. */
async function post(
  { url }: Pick<Target, "url">,
  path: string,
  body: string | object,
  again = true,
): Promise<string> {
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    const inside = text.includes('"code":500') || text.includes('"code":400');
    return response.status === 200 && inside ? "200 with an error" : String(response.status);
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    return again && !late ? post({ url }, path, body, false) : late ? "late" : "error";
  }
}

function summed(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts]
    .map(([answer, count]) => (count > 1 ? `${answer} ×${count}` : answer))
    .join(", ");
}

const posts =
  (...bodies: readonly (readonly [path: string, make: () => string | object])[]) =>
  async (target: Target): Promise<string> => {
    const answers: string[] = [];
    for (const [path, make] of bodies) answers.push(await post(target, path, make()));
    return summed(answers);
  };

const atOnce =
  (count: number, path: string, make: (i: number) => object) =>
  async (target: Target): Promise<string> =>
    summed(await Promise.all(Array.from({ length: count }, (_, i) => post(target, path, make(i)))));

const regex = (pattern: string, more: object = {}): object => ({
  prompt: "x",
  max_tokens: 60,
  structured_outputs: { regex: pattern },
  ...more,
});
const blowUp = (letters: string, tail: number): string =>
  `(.|\\n)*(${[...letters].map((letter) => `${letter}(.|\\n){${tail}}`).join("|")})Q`;

/** Sends events until `done` or the socket closes; the last event's type. */
async function realtime({ url }: Target, events: Iterable<object>, until: string): Promise<string> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/realtime`);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.close(), 30_000);
    let last = "";
    socket.on("message", (data) => {
      const { type, response } = JSON.parse(String(data)) as {
        type: string;
        response?: { status: string };
      }; // the server's own
      last = response === undefined ? type : `${type} ${response.status}`;
      if (type === until) socket.close();
    });
    socket.on("open", () => {
      for (const event of events) socket.send(JSON.stringify(event));
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(last);
    });
  });
}

function* items(count: number, text: string): Generator<object> {
  for (let i = 0; i < count; i++) {
    const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
    yield { type: "conversation.item.create", item };
  }
}

function* fullThenRespond(): Generator<object> {
  yield* items(4_096, "a");
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }];
  yield { type: "response.create", response: { input, max_output_tokens: 20 } };
}

/** Bytes on a raw connection that is hung up after a while; whether anything was answered. */
function raw({ url }: Target, text: string, hangUpMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1] ?? "hung up"));
    socket.write(text);
    setTimeout(() => socket.destroy(), hangUpMs);
  });
}

const request = (path: string, body: string, length = Buffer.byteLength(body)): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;

const ENDLESS = "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}";

/** Endless templates of one client, and how long another's small ones take meanwhile. */
async function templates(target: Target): Promise<string> {
  const messages = [{ role: "user", content: "hi" }];
  const chat = (template: string): object => ({ messages, max_tokens: 1, chat_template: template });
  const endless = Promise.all(
    Array.from({ length: 20 }, (_, i) => post(target, CHAT, chat(`${i}${ENDLESS}`))),
  );
  let slowest = 0;
  for (let i = 0; i < 3; i++) {
    const begun = performance.now();
    await post(target, CHAT, chat("{{ messages[0].content }}"));
    slowest = Math.max(slowest, performance.now() - begun);
  }
  return `${summed(await endless)}; another client's at most ${(slowest / 1000).toFixed(1)} s`;
}

async function manyChoices(target: Target): Promise<string> {
  const body = JSON.stringify({ prompt: "a", n: 16_384, max_tokens: 50, temperature: 1 });
  return summed(await Promise.all([1, 2, 3, 4].map(() => raw(target, request(TEXT, body), 3_000))));
}

export const ATTACKS: readonly Attack[] = [
  {
    name: "white space to tokenize",
    run: posts(
      ["/tokenize", () => ({ prompt: `a${" ".repeat(11_000_000)}b` })],
      [TEXT, () => ({ prompt: `a${"\u3000\n".repeat(2_500_000)}b`, truncate_prompt_tokens: 9 })],
      [TEXT, () => ({ prompt: "a", bad_words: [" ".repeat(11_000_000)] })],
    ),
  },
  {
    name: "30 MB to tokenize",
    large: true,
    run: posts(["/tokenize", () => ({ prompt: "some words ".repeat(2_700_000) })]),
  },
  {
    name: "4 million characters to tokenize",
    run: posts(["/tokenize", () => ({ prompt: "!1".repeat(1_999_000) })]),
  },
  {
    name: "a full realtime conversation",
    run: (target) => realtime(target, fullThenRespond(), "response.done"),
  },
  { name: "regex of many places", run: posts([TEXT, () => regex(blowUp("abcd", 60))]) },
  {
    name: "regexes that blow up late",
    run: atOnce(4, TEXT, (i) => regex(`x{${30 + i}}${blowUp("abcdefgh", 90)}`)),
  },
  {
    name: "four ambiguous regexes",
    run: atOnce(4, TEXT, (i) => regex(`(.{0,${60 + i}}a.{0,60}){10}`)),
  },
  {
    name: "sixteen hostile schemas",
    run: atOnce(16, TEXT, (i) => ({
      prompt: "x",
      max_tokens: 40,
      structured_outputs: {
        json: { type: "string", pattern: `^(.{0,${30 + i}}a.{0,40}b.{0,40}c){9}$` },
      },
    })),
  },
  {
    name: "realtime items of 1 MB",
    run: async (target) => {
      const sockets = [1, 2, 3].map(() =>
        realtime(target, items(120, "x".repeat(900_000)), "error"),
      );
      return summed(await Promise.all(sockets));
    },
  },
  {
    name: "a million messages, tools, keys",
    large: true,
    run: posts(
      [CHAT, () => `{"messages":${list(say, 1_000_000)}}`],
      [CHAT, () => `{"messages":[${say}],"tools":${list(tool, 200_000)}}`],
      [TEXT, () => `{"prompt":"a",${keys(1_000_000)}}`],
    ),
  },
  {
    name: "ten million ids",
    large: true,
    run: posts(
      [TEXT, () => `{"prompt":${list("1", 10_000_000)}}`],
      ["/detokenize", () => `{"tokens":${list("1", 10_000_000)}}`],
    ),
  },
  {
    name: "as many as pass",
    run: posts(
      [CHAT, () => `{"messages":${list(say, 8_000)}}`],
      [CHAT, () => `{"messages":[${say}],"tools":${list(tool, 1_000)},"max_tokens":1}`],
      [TEXT, () => `{"prompt":"a","max_tokens":1,"metadata":{${keys(45_000)}}}`],
      ["/detokenize", () => `{"tokens":${list("1", 900_000)}}`],
      [TEXT, () => `{"max_tokens":1,"prompt":${list(list("1", 900), 900)}}`],
    ),
  },
  {
    name: "nesting",
    run: posts(
      [TEXT, () => `{"prompt":${"[".repeat(6_000_000)}`],
      [CHAT, () => `{"messages":[${say}],"metadata":${'{"a":'.repeat(2_500_000)}`],
    ),
  },
  {
    name: "large texts in small fields",
    large: true,
    run: posts(
      [CHAT, () => ({ messages: [{ role: "user", content: "é".repeat(15_000_000) }] })],
      [
        CHAT,
        () => ({
          messages: [{ role: "user", content: "x" }],
          stop: ["\n".repeat(15_000_000)],
          max_tokens: 2,
        }),
      ],
      [TEXT, () => regex("a".repeat(30_000_000))],
    ),
  },
  {
    name: "repeated allowed ids",
    run: posts([
      TEXT,
      () => `{"prompt":"a","max_tokens":40,"allowed_token_ids":${list("7", 900_000)}}`,
    ]),
  },
  { name: "n = 16384, four times, hung up", run: manyChoices },
  {
    name: "paths of slashes",
    run: async (target) => {
      const paths = ["/".repeat(15_000), `/v1${"/".repeat(15_000)}x`];
      const gets = paths.map((path) =>
        raw(target, `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`, 2_000),
      );
      return summed(await Promise.all(gets));
    },
  },
  { name: "twenty endless templates", run: templates },
  {
    name: "bodies that stop arriving",
    run: async (target) => {
      const parts = Array.from({ length: 100 }, () =>
        raw(target, request(TEXT, `{"prompt":"${"x".repeat(50_000)}`, 200_000), 25_000),
      );
      return summed(await Promise.all(parts));
    },
  },
];
